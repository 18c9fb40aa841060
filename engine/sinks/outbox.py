"""What waits to be delivered: bounded, in order, each item leaving only once delivered."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Outbox(Generic[T]):
    """A queue whose head stays until it is delivered, and which forgets the oldest when full.

    Args:
        limit: Items kept at most.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        self._limit = limit
        self._items: deque[T] = deque()
        self._changed = asyncio.Event()
        self._closed = False
        self.dropped = 0
        """Items forgotten because the outbox was full."""

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def put(self, item: T) -> None:
        """Add an item; never waits."""
        if len(self._items) == self._limit:
            self._items.popleft()
            self.dropped += 1
        self._items.append(item)
        self._changed.set()

    def close(self) -> None:
        """Say that nothing more comes; `head` gives None once all is delivered."""
        self._closed = True
        self._changed.set()

    async def head(self) -> T | None:
        """Wait for the oldest item and leave it in place; None when closed and empty."""
        while not self._items:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._items[0]

    def delivered(self, item: T) -> None:
        """Remove the head; does nothing where `item` was dropped while it was on its way."""
        if self._items and self._items[0] is item:
            self._items.popleft()
