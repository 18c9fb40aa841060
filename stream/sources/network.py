"""RTSP streams."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Self

from stream.errors import UserError
from stream.media import SAMPLE_RATE, AudioChunk
from stream.sources.base import DEFAULT_PARTICIPANT, MediaItem, source_name
from stream.sources.buffered import BufferedSource
from stream.sources.container import Location
from stream.sources.keeper import Keeper, Lease, Upkeep
from stream.sources.reader import MediaReader
from stream.sources.stillness import STILL

_SPARE_SECONDS = 2.0  # so that FFmpeg's own timeout, which ends the thread, comes first


class JoinedClock:
    """Puts one opening of a stream after the other on one line of time.

    Every opening begins at 0 of its own. The first keeps its times; each later one begins
    where our clock says, but never before the end of what came earlier. So a break is a gap
    as long as it lasted, and time never goes back.
    """

    def __init__(self) -> None:
        self._zero: float | None = None
        self._offset = 0.0
        self._end = 0.0

    def begin(self, time: float, now: float) -> None:
        """A new opening begins.

        Args:
            time: Media seconds of its first item, since it was opened.
            now: Seconds, on our clock.
        """
        if self._zero is None:
            self._zero = now - time
            return
        begin = max(self._end, now - self._zero - time)
        self._offset = math.ceil(begin * SAMPLE_RATE) / SAMPLE_RATE  # sound stays on its grid

    def place(self, item: MediaItem) -> MediaItem:
        """An item of the opening that has begun, at its place."""
        placed = replace(item, time=item.time + self._offset)
        end = placed.end if isinstance(placed, AudioChunk) else placed.time
        self._end = max(self._end, end)
        return placed


class NetworkSource(BufferedSource):
    """A stream of a network camera or a server.

    What breaks off, falls silent, ends or cannot be decoded any more is opened again, see
    `stream.sources.reopening`. The source ends only by `stop`.

    Args:
        location: Where the stream is.
        name: Name for topics and logs.
        audio: Whether to read sound; a stream without it is then refused.
        video: Whether to read pictures, if there are any.
        participant: Pseudonymous id of who is seen and heard.
        clock: Seconds, never going back.
        sleep: Waits before it is seen again whether the stream still works.
        open_reader: Opens it; a double of the reader in tests.
    """

    live = True

    def __init__(
        self,
        location: Location,
        *,
        name: str,
        audio: bool = True,
        video: bool = True,
        participant: str = DEFAULT_PARTICIPANT,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        open_reader: Callable[..., MediaReader] = MediaReader,
    ) -> None:
        self.name = source_name(name)
        self.participant = participant
        self._location, self._clock, self._open_reader = location, clock, open_reader
        self._wanted = {"audio": audio, "video": video}
        self._tracks: dict[str, bool] | None = None
        super().__init__()
        self._skipped = 0
        self._still = False
        self._joined = JoinedClock()
        self._upkeep = Upkeep(clock, sleep)

    @property
    def has_audio(self) -> bool:
        """Whether it gives sound; known once open."""
        return self._tracks is not None and self._tracks["audio"]

    @property
    def has_video(self) -> bool:
        """Whether it gives pictures; known once open."""
        return self._tracks is not None and self._tracks["video"]

    @property
    def skipped_packets(self) -> int:
        """Packets and frames so far that were damaged, or given up for lack of time."""
        return self._skipped + self._dropped

    @property
    def restarts(self) -> int:
        """Times so far that the stream was opened again, or that this was tried."""
        return self._upkeep.restarts

    @property
    def trouble(self) -> tuple[str, ...]:
        """What is wrong right now: `stream interrupted`, `pictures stand still`."""
        return (*self._upkeep.trouble, *((STILL,) if self._still else ()))

    async def __aenter__(self) -> Self:
        """Open the stream.

        Raises:
            UserError: It cannot be reached or read, or lacks sound.
        """
        self._begin()
        wait = self._location.timeout_seconds
        keeper = Keeper(
            self._location.shown,
            self._read,
            lost="stream interrupted",
            clock=self._clock,
            opening_seconds=2 * wait + _SPARE_SECONDS,
            silent_seconds=wait + _SPARE_SECONDS,
        )
        try:
            await self._upkeep.open([keeper])
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
        """Close the stream; a read in progress is left to end by itself."""
        await self._close()

    def _read(self, lease: Lease) -> None:
        """Open the stream, and give what comes until it breaks off or the lease is over."""
        # Once open, later openings must have the same tracks.
        tracks = self._tracks or self._wanted
        reader = self._open_reader(self._location, **tracks, wanted=lambda: not lease.over.is_set())
        skipped_before, begun = self._skipped, False

        def take(item: MediaItem) -> None:
            nonlocal begun
            if not begun:
                self._joined.begin(item.time, self._clock())
                begun = True
            self._skipped = skipped_before + reader.skipped_packets
            self._still = reader.still
            self._put(self._joined.place(item))

        try:
            if self._tracks is None:
                self._tracks = {"audio": reader.has_audio, "video": reader.has_video}
            lease.opened()
            for item in reader:
                if not lease.give(partial(take, item)):
                    return
        finally:
            reader.close()
        raise UserError(f"{self._location.shown} has ended; check the camera or server")

    async def _close(self) -> None:
        self.stop()
        await self._upkeep.close()
