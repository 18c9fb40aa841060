"""Pictures of a camera through OpenCV; a recording may play the camera, as it captures both."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from device_doubles import Clock, Webcam, noise
from media_factory import grey, write_media

from stream.errors import UserError
from stream.media import Image, VideoFrame
from stream.sources import capture
from stream.sources.capture import Backlog, Camera
from stream.sources.keeper import Lease

_NO_CAMERA = 97
_RATE = 30.0


@pytest.fixture(autouse=True)
def _quick_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that is gone is asked again at once."""
    monkeypatch.setattr(capture, "_BAD_READ_SECONDS", 0.0)


class FreeLease(Lease):
    """One that no keeper granted; it is over after so many items."""

    def __init__(self, items: int = 1_000_000) -> None:
        self.over = threading.Event()
        self._items = items

    def opened(self) -> None:
        """Nobody waits for it."""

    def give(self, action: Callable[[], object]) -> bool:
        """Count the item."""
        action()
        self._items -= 1
        if self._items <= 0:
            self.over.set()
        return True


class Ticking:
    """A clock that moves on while a picture is waited for: at every other reading."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step
        self._waiting = False

    def __call__(self) -> float:
        """Seconds."""
        self.now += self.step if self._waiting else 0.0
        self._waiting = not self._waiting
        return self.now


class BufferingCapture:
    """A driver that keeps the newest pictures and gives the oldest of them first.

    Args:
        clock: Moves on while a picture is waited for or decoded.
        decoding: Seconds that each picture takes to be decoded.
        kept: Pictures that it keeps.
    """

    def __init__(self, clock: Clock, decoding: Iterator[float], kept: int) -> None:
        self._clock, self._decoding = clock, decoding
        self._taken = 0
        self._buffer: deque[int] = deque(maxlen=kept)
        self._grabbed = 0

    def get(self, _property: int) -> float:
        """Its rate."""
        return _RATE

    def grab(self) -> bool:
        """The oldest picture; the next one, where none was kept."""
        self._take()
        if not self._buffer:
            self._clock.now = 1000.0 + (self._taken + 1) / _RATE + 1e-6
            self._take()
        self._grabbed = self._buffer.popleft()
        return True

    def retrieve(self) -> tuple[bool, Image]:
        """A picture that says when it was taken: how many were before it."""
        self._clock.now += next(self._decoding)
        return True, np.full((4, 4, 3), (self._grabbed // 256, self._grabbed % 256, 0), np.uint8)

    def release(self) -> None:
        """Nothing to close."""

    def _take(self) -> None:
        while (self._taken + 1) / _RATE <= self._clock.now - 1000.0:
            self._taken += 1
            self._buffer.append(self._taken)


def _recording(folder: Path, width: int = 64, height: int = 48) -> str:
    red = grey(0, width, height)
    red[..., 0] = 250
    return str(write_media(folder / "camera.mp4", pictures=[(n / 25, red) for n in range(50)]))


def _captured(path: str, step: float) -> list[VideoFrame]:
    frames: list[VideoFrame] = []
    camera = Camera(path, frames.append, Ticking(step))
    with pytest.raises(UserError, match="gives no more pictures; check its cable"):
        camera.read(FreeLease())
    assert camera.bad_reads > 0
    return frames


def test_a_camera_gives_rgb_pictures_with_the_time_they_were_taken(tmp_path: Path) -> None:
    """Red is the first channel, and time is the clock's."""
    frames = _captured(_recording(tmp_path), 0.1)
    assert len(frames) == 50
    assert [frame.time for frame in frames] == pytest.approx(np.arange(1, 51) / 10)
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image[10, 10, 0] > 200 > 50 > frames[0].image[10, 10, 2]


def test_a_fast_camera_is_thinned_and_a_large_picture_scaled(tmp_path: Path) -> None:
    """The same bounds hold as for files."""
    frames = _captured(_recording(tmp_path, 1280, 720), 1 / 60)
    assert len(frames) == pytest.approx(13, abs=1)
    assert frames[0].image.shape == (360, 640, 3)


@pytest.mark.parametrize("kept", [1, 4, 10, 25])
@pytest.mark.parametrize("decoding", [0.0, 0.02, 0.05, 0.2])
def test_a_picture_is_at_most_two_frames_old(kept: int, decoding: float) -> None:
    """Whatever the driver keeps and however slow we are, also after standing still for 2 s."""

    def delays() -> Iterator[float]:
        for number in range(1_000_000):
            yield 2.0 if number % 40 == 20 else decoding

    clock, frames = Clock(), list[VideoFrame]()
    driver = BufferingCapture(clock, delays(), kept)
    camera = Camera(0, frames.append, clock, open_capture=lambda index: driver)
    camera.read(FreeLease(200))
    for frame in frames:
        taken = int(frame.image[0, 0, 2]) * 256 + int(frame.image[0, 0, 1])
        assert 0 <= frame.time - 1000.0 - taken / _RATE <= 2 / _RATE
    least = min(15.0, 1 / (decoding + 2 / _RATE))
    spent = clock.now - 1000.0 - 2.0 * 5
    assert len(frames) / spent > 0.6 * least


def test_a_backend_that_makes_no_picture_wait_gives_some_all_the_same() -> None:
    """Where every picture comes at once, how long one waited says nothing."""
    backlog = Backlog(rate=0.0)
    held = [backlog.holds(0.0) for _ in range(310)]
    assert held.count(False) == 10
    assert not backlog.holds(1 / 30)


def test_damaged_pictures_are_counted_and_passed_over() -> None:
    """A few in a row do not mean that the camera is gone."""
    clock, frames = Ticking(0.2), list[VideoFrame]()
    webcam = Webcam()
    for number in range(100):
        webcam.show(None if number % 20 < 10 else noise(number))
    camera = Camera(0, frames.append, clock, open_capture=webcam.open)
    camera.read(FreeLease(50))
    assert (len(frames), camera.bad_reads) == (50, 50)
    assert webcam.open_captures == 0


def test_a_missing_camera_says_what_to_do(capfd: pytest.CaptureFixture[str]) -> None:
    """One line that names the camera and the next steps, and no noise from OpenCV."""
    camera = Camera(_NO_CAMERA, lambda frame: None, Clock())
    with pytest.raises(UserError, match=rf"cannot open camera {_NO_CAMERA}; .*--no-video"):
        camera.read(FreeLease())
    assert capfd.readouterr() == ("", "")
