"""A camera with a microphone, or either alone, on one clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from stream.sources.base import DEFAULT_PARTICIPANT, source_name
from stream.sources.buffered import BufferedSource
from stream.sources.capture import Camera, open_capture
from stream.sources.keeper import Keeper, Upkeep
from stream.sources.microphone import Microphone
from stream.sources.portaudio import OpenStream, PortAudioStream
from stream.sources.stillness import FROZEN_SECONDS

_LOST, _FROZEN = "camera lost", "camera frozen"


class CameraSource(BufferedSource):
    """A camera and a microphone.

    What is unplugged, breaks off or hangs is opened again, see `stream.sources.reopening`;
    the other one goes on meanwhile. The source ends only by `stop`: a camera without a
    microphone is waited for, however long.

    Args:
        index: Number of the camera; None for the microphone alone.
        microphone: Part of its name or its number; None for the default one.
        audio: Whether to open a microphone.
        participant: Pseudonymous id of who is seen and heard.
        clock: Seconds, never going back.
        sleep: Waits before it is seen again whether the devices still work.
        frozen_seconds: How long pictures may be the same to the byte.
        open_capture: Opens the camera; a double of OpenCV in tests.
        open_stream: Opens the microphone; a double of PortAudio in tests.
    """

    live = True

    def __init__(
        self,
        index: int | str | None,
        *,
        microphone: str | None = None,
        audio: bool = True,
        participant: str = DEFAULT_PARTICIPANT,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        frozen_seconds: float = FROZEN_SECONDS,
        open_capture: Callable[[int | str], Any] = open_capture,
        open_stream: OpenStream = PortAudioStream,
    ) -> None:
        self.name = "microphone" if index is None else source_name(f"camera-{index}")
        self.participant = participant
        self.has_audio = audio
        self.has_video = index is not None
        self._clock, self._started = clock, 0.0
        super().__init__()
        self._upkeep = Upkeep(clock, sleep)
        self._microphone = (
            Microphone(microphone, self._put, self._now, open_stream=open_stream) if audio else None
        )
        self._camera = (
            None
            if index is None
            else Camera(
                index,
                self._put,
                self._now,
                frozen_seconds=frozen_seconds,
                open_capture=open_capture,
            )
        )

    @property
    def skipped_packets(self) -> int:
        """Pictures and blocks of sound so far that were lost."""
        bad_reads = self._camera.bad_reads if self._camera else 0
        overflows = self._microphone.overflows if self._microphone else 0
        return bad_reads + overflows + self._dropped

    @property
    def restarts(self) -> int:
        """Times so far that a device was opened again, or that this was tried."""
        return self._upkeep.restarts

    @property
    def trouble(self) -> tuple[str, ...]:
        """What is wrong right now: `camera lost`, `camera frozen`, `microphone lost`."""
        standing = (_FROZEN,) if self._camera is not None and self._camera.frozen else ()
        return (*self._upkeep.trouble, *standing)

    async def __aenter__(self) -> Self:
        """Open the devices.

        Raises:
            UserError: One is missing or busy.
        """
        self._begin()
        self._started = self._clock()
        try:
            await self._upkeep.open(self._keepers())
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
        """Close the devices."""
        await self._close()

    def _keepers(self) -> list[Keeper]:
        keepers = []
        if self._microphone is not None:
            name, read = self._microphone.shown, self._microphone.read
            keepers.append(Keeper(name, read, lost="microphone lost", clock=self._clock))
        if self._camera is not None:
            name, read = self._camera.shown, self._camera.read
            keepers.append(Keeper(name, read, lost=_LOST, silent=_FROZEN, clock=self._clock))
        return keepers

    def _now(self) -> float:
        return self._clock() - self._started

    async def _close(self) -> None:
        self.stop()
        await self._upkeep.close()
