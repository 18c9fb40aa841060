"""Doubles of devices that are unplugged, hang and freeze, and of the time that passes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stream.errors import UserError
from stream.media import Image
from stream.sources.keeper import Upkeep
from stream.sources.portaudio import Heard

_DEADLINE_SECONDS = 20.0


class Clock:
    """Time that passes only when a test says so, for threads and for the event loop."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.settled: Callable[[], bool] = lambda: True
        """Whether all threads have done what there was to do; time does not pass before."""
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        """Seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Wait until so much time has passed."""
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, woken))
        await woken

    async def advance(self, seconds: float, step: float = 0.25) -> None:
        """Let time pass, in steps in which everybody gets a turn."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + step)
            due = [woken for at, woken in self._sleepers if at <= self.now + 1e-9]
            self._sleepers = [s for s in self._sleepers if s[0] > self.now + 1e-9]
            for woken in due:
                if not woken.done():
                    woken.set_result(None)
            for _ in range(3):
                await asyncio.sleep(0)
            await until(self.settled)


async def until(condition: Callable[[], bool], *, at_most: float | None = None) -> None:
    """Wait for what a thread does, which takes a moment; with `at_most`, it need not do it."""
    deadline = time.monotonic() + (at_most or _DEADLINE_SECONDS)
    while not condition():
        if time.monotonic() > deadline:
            assert at_most is not None, "a thread did not do it"
            return
        await asyncio.sleep(0.0005)


def wait_until(condition: Callable[[], bool]) -> None:
    """The same without an event loop."""
    asyncio.run(until(condition))


def noise(seed: int) -> Image:
    """A small picture of a real sensor, whose noise is never the same."""
    return np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)


class Double(Protocol):
    """A device, stream or server that a source opens."""

    tries: int
    """Times that somebody tried to open it."""
    refused: bool
    """Whether the last try failed."""


def settled(upkeep: Upkeep, *doubles: Double) -> bool:
    """Whether every keeper has opened what it wants to, and knows it where that failed.

    Args:
        upkeep: Of the source.
        doubles: One for each of its keepers.
    """
    return all(
        double.tries == keeper.restarts + 1 and (keeper._lease is None or not double.refused)
        for double, keeper in zip(doubles, upkeep._keepers, strict=True)
    )


class Webcam:
    """A camera, and OpenCV's capture of it."""

    def __init__(self) -> None:
        self.tries = 0
        self.refused = False
        self.open_captures = 0
        self._condition = threading.Condition()
        self._plugged, self._opening_hangs, self._freed = True, False, False
        self._pictures: deque[Image | None] = deque()
        self._captures: list[_Capture] = []

    def open(self, index: int | str) -> Any:
        """A capture, as `open_capture` gives it."""
        with self._condition:
            self.refused = not (self._plugged or self._opening_hangs)
            self.tries += 1
            while self._opening_hangs and not self._freed:
                self._condition.wait()
            if not self._plugged:
                raise UserError(f"cannot open camera {index}")
            self._captures.append(_Capture(self))
            self.open_captures += 1
            return self._captures[-1]

    def show(self, image: Image | None) -> None:
        """Give a picture to whoever reads, or a damaged one."""
        self._change(lambda: self._pictures.append(image))

    def unplug(self) -> None:
        """Every read fails from now on."""
        self._pictures.clear()
        self._change(lambda: setattr(self, "_plugged", False))

    def plug(self) -> None:
        """It can be opened again."""
        self._change(lambda: setattr(self, "_plugged", True))

    def hang(self, *, opening: bool = False) -> None:
        """Reads in progress never return; with `opening`, neither does opening it."""

        def change() -> None:
            self._opening_hangs = opening
            for capture in self._captures:
                capture.hangs = True

        self._change(change)

    def free(self) -> None:
        """Everything that hangs returns."""
        self._change(lambda: setattr(self, "_freed", True))

    def grab(self, capture: _Capture) -> bool:
        """Wait for a picture."""
        with self._condition:
            while not self._freed:
                if not capture.hangs and not self._plugged:
                    return False
                if not capture.hangs and self._pictures:
                    capture.image = self._pictures.popleft()
                    return True
                self._condition.wait()
            return False

    def _change(self, change: Callable[[], None]) -> None:
        with self._condition:
            change()
            self._condition.notify_all()


class _Capture:
    """One capture of a camera."""

    def __init__(self, camera: Webcam) -> None:
        self._camera = camera
        self.hangs = False
        self.image: Image | None = None

    def get(self, _property: int) -> float:
        """What OpenCV says of a rate that it does not know."""
        return 0.0

    def grab(self) -> bool:
        """Wait for a picture."""
        return self._camera.grab(self)

    def retrieve(self) -> tuple[bool, Image | None]:
        """Decode it."""
        return self.image is not None, self.image

    def release(self) -> None:
        """Close it."""
        self._camera.open_captures -= 1


class SoundCard:
    """A microphone, and PortAudio's streams of it."""

    def __init__(self, rate: int = 16_000) -> None:
        self.rate = rate
        self.plugged = True
        self.tries = 0
        self.refused = False
        self._streams: list[_Stream] = []

    @property
    def open_streams(self) -> int:
        """Streams that are not closed yet."""
        return len(self._streams)

    def open(
        self, name: str | None, known_as: str | None, heard: Heard, ended: Callable[[], None]
    ) -> _Stream:
        """A stream, as `PortAudioStream` opens it."""
        self.refused = not self.plugged
        self.tries += 1
        if self.refused:
            raise UserError("no microphone was found")
        self._streams = [*self._streams, _Stream(self, heard, ended)]
        return self._streams[-1]

    def record(self, seconds: float = 0.1, *, overflowed: bool = False) -> None:
        """Deliver a block to whoever listens."""
        block: NDArray[np.float32] = np.full((round(seconds * self.rate), 1), 0.5, np.float32)
        if self.plugged:
            for stream in self._streams:
                stream.heard(block, self.rate, overflowed)

    def unplug(self, *, told: bool = True) -> None:
        """Deliver nothing any more; PortAudio may tell that or not."""
        self.plugged = False
        if told:
            for stream in self._streams:
                stream.ended()

    def forget(self, stream: _Stream) -> None:
        """A stream is closed."""
        self._streams = [each for each in self._streams if each is not stream]


class _Stream:
    """One stream of a microphone."""

    device_name = "USB"

    def __init__(self, card: SoundCard, heard: Heard, ended: Callable[[], None]) -> None:
        self._card = card
        self.heard, self.ended = heard, ended

    def close(self) -> None:
        """Close the stream."""
        self._card.forget(self)
