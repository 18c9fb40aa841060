"""Files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from types import TracebackType
from typing import Self

from stream.media import AudioChunk
from stream.sources.base import DEFAULT_PARTICIPANT, MediaItem, Pace, source_name
from stream.sources.container import Location
from stream.sources.reader import MediaReader
from stream.sources.sounding import sounding
from stream.sources.stillness import STILL

_BATCH = 16  # items per hop to the reading thread
_LONGEST_SLEEP = 0.25  # seconds; so that `stop` is heard in a long pause


class FileSource:
    """Any file that FFmpeg can open. It is never opened again: what is damaged stays damaged.

    One thread owns the container, so the event loop never waits for a disk or a decoder, and
    closing never meets a read in progress.

    Args:
        location: Where the media is.
        name: Name for topics and logs.
        pace: `real` gives nothing before its time has come.
        audio: Whether to read sound; media without it is then refused.
        video: Whether to read pictures, if there are any.
        participant: Pseudonymous id of who is seen and heard.
        clock: Seconds, for `real`.
        sleep: Waits that many seconds, for `real`.
    """

    live = False
    restarts = 0

    def __init__(
        self,
        location: Location,
        *,
        name: str,
        pace: Pace = "max",
        audio: bool = True,
        video: bool = True,
        participant: str = DEFAULT_PARTICIPANT,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.name = source_name(name)
        self.participant = participant
        self._location = location
        self._audio, self._video = audio, video
        self._paced = pace == "real"
        self._clock, self._sleep = clock, sleep
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"read-{self.name}")
        self._reader: MediaReader | None = None
        self._stopped = False

    @property
    def has_audio(self) -> bool:
        """Whether it gives sound; known once open."""
        return self._reader is not None and self._reader.has_audio

    @property
    def has_video(self) -> bool:
        """Whether it gives pictures; known once open."""
        return self._reader is not None and self._reader.has_video

    @property
    def skipped_packets(self) -> int:
        """Packets and frames so far that were damaged."""
        return 0 if self._reader is None else self._reader.skipped_packets

    @property
    def trouble(self) -> tuple[str, ...]:
        """What is wrong right now: `pictures stand still`."""
        return (STILL,) if self._reader is not None and self._reader.still else ()

    async def __aenter__(self) -> Self:
        """Open the media.

        Raises:
            UserError: It cannot be read, or lacks sound.
        """
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._open)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the media, after the read in progress."""
        await self._close()

    def stop(self) -> None:
        """End after the item that is being given."""
        self._stopped = True
        if self._location.source is not None:
            self._location.source.stop()

    async def __aiter__(self) -> AsyncIterator[MediaItem]:
        """Chunks and frames in the order in which they are stored."""
        if self._reader is None:
            raise RuntimeError("open the source first: async with source")
        items = iter(self._reader)
        loop = asyncio.get_running_loop()
        started = self._clock()
        while not self._stopped:
            batch = await loop.run_in_executor(self._thread, _batch, items)
            for item in batch:
                await self._wait_until(started + _due(item))
                if self._stopped:
                    return
                yield item
            if not batch:
                return

    def _open(self) -> None:
        location = self._location
        if self._audio and location.tracks.audio is None and location.source is None:
            location = replace(location, tracks=replace(location.tracks, audio=sounding(location)))
        self._reader = MediaReader(location, audio=self._audio, video=self._video)

    async def _wait_until(self, due: float) -> None:
        while self._paced and not self._stopped and (wait := due - self._clock()) > 0:
            await self._sleep(min(wait, _LONGEST_SLEEP))

    async def _close(self) -> None:
        self.stop()

        def close() -> None:
            if self._reader is not None:
                self._reader.close()

        await asyncio.get_running_loop().run_in_executor(self._thread, close)
        self._thread.shutdown(wait=False)


def _due(item: MediaItem) -> float:
    """When an item exists in real time: sound only once its last sample was recorded."""
    return item.end if isinstance(item, AudioChunk) else item.time


def _batch(items: Iterator[MediaItem]) -> list[MediaItem]:
    return list(islice(items, _BATCH))
