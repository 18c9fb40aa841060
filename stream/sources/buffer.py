"""From capturing threads to the event loop, bounded."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque

from stream.media import AudioChunk, VideoFrame
from stream.sources.base import MediaItem

_log = logging.getLogger(__name__)


class CaptureBuffer:
    """Holds what was captured until it is read.

    A camera does not wait. When reading stalls, the oldest pictures go first; sound is kept
    far longer, and losing it is counted and logged.

    Args:
        max_frames: Most pictures waiting.
        max_audio_seconds: Most sound waiting.
    """

    def __init__(self, *, max_frames: int = 45, max_audio_seconds: float = 60.0) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._lock = threading.Lock()
        self._items: deque[MediaItem] = deque()
        self._frames = 0
        self._audio_seconds = 0.0
        self._max_frames = max_frames
        self._max_audio_seconds = max_audio_seconds
        self._closed = False
        self.dropped = 0
        """Chunks and pictures given up so far."""

    def put(self, item: MediaItem) -> None:
        """Add an item; from any thread."""
        with self._lock:
            if self._closed:
                return
            self._items.append(item)
            self._count(item, +1)
            if self._frames > self._max_frames:
                self._drop_oldest(VideoFrame)
            while self._audio_seconds > self._max_audio_seconds:
                self._drop_oldest(AudioChunk)
                _log.warning("sound lost: recognition is far behind the microphone")
        self._wake()

    def close(self) -> None:
        """No more items come; from any thread."""
        with self._lock:
            self._closed = True
        self._wake()

    async def take(self) -> list[MediaItem]:
        """All that waits, at least one item; an empty list at the end."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            with self._lock:
                items, closed = list(self._items), self._closed
                self._items.clear()
                self._frames, self._audio_seconds = 0, 0.0
            if closed:
                self._ready.set()  # so that the next call sees the end
            if items or closed:
                return items

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:
            pass  # the loop is closed, so nobody reads any more

    def _count(self, item: MediaItem, sign: int) -> None:
        if isinstance(item, VideoFrame):
            self._frames += sign
        else:
            self._audio_seconds += sign * (item.end - item.time)

    def _drop_oldest(self, kind: type[MediaItem]) -> None:
        index = next(i for i, item in enumerate(self._items) if isinstance(item, kind))
        self._count(self._items[index], -1)
        del self._items[index]
        self.dropped += 1
