"""What sources have in common whose items come when they want."""

from __future__ import annotations

from collections.abc import AsyncIterator

from stream.sources.base import MediaItem
from stream.sources.buffer import CaptureBuffer


class BufferedSource:
    """A source that captures in threads or tasks of its own, and is read from a buffer.

    A subclass calls `_begin` when it opens, and `_put` with what it captures.
    """

    def __init__(self) -> None:
        self._stopped = False
        self._buffer: CaptureBuffer | None = None

    def stop(self) -> None:
        """End after what has already come."""
        self._stopped = True
        if self._buffer is not None:
            self._buffer.close()

    async def __aiter__(self) -> AsyncIterator[MediaItem]:
        """Chunks and frames as they come."""
        if self._buffer is None:
            raise RuntimeError("open the source first: async with source")
        while items := await self._buffer.take():
            for item in items:
                yield item

    @property
    def _dropped(self) -> int:
        """Chunks and pictures that nobody read in time."""
        return 0 if self._buffer is None else self._buffer.dropped

    def _begin(self) -> None:
        """Take what is captured from now on."""
        self._buffer = CaptureBuffer()
        if self._stopped:
            self._buffer.close()

    def _put(self, item: MediaItem) -> None:
        """Add an item; from any thread."""
        assert self._buffer is not None
        self._buffer.put(item)
