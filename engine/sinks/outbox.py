"""What waits to be delivered: bounded, in order, each item leaving only once delivered."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Outbox(Generic[T]):
    """A queue whose head stays until it is delivered, and which forgets what is worth least.

    Args:
        limit: Items kept at most.
        worth: When the outbox is full, the oldest of the items that are worth least is forgotten.
    """

    def __init__(self, limit: int, worth: Callable[[T], int] = lambda _: 0) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        self._limit, self._worth = limit, worth
        self._items: deque[T] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def put(self, item: T) -> T | None:
        """Add an item; never waits. Returns the item that was forgotten for it, if any."""
        self._items.append(item)
        self._changed.set()
        if len(self._items) <= self._limit:
            return None
        forgotten = min(self._items, key=self._worth)
        self._items.remove(forgotten)
        return forgotten

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
        """Remove the head; does nothing where `item` was forgotten while it was on its way."""
        if self._items and self._items[0] is item:
            self._items.popleft()
