"""Cameras through OpenCV; a recording plays the camera, since OpenCV captures from both."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from media_factory import grey, write_media

from stream.errors import UserError
from stream.media import VideoFrame
from stream.sources.base import MediaItem
from stream.sources.camera import Camera, CameraSource

_NO_CAMERA = 97


class Ticking:
    """A clock that moves on by a frame's time whenever it is read."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        """Seconds."""
        self.now += self.step
        return self.now


def _recording(folder: Path, width: int = 64, height: int = 48) -> str:
    red = grey(0, width, height)
    red[..., 0] = 250
    return str(write_media(folder / "camera.mp4", pictures=[(n / 25, red) for n in range(50)]))


def _captured(path: str, step: float) -> list[VideoFrame]:
    frames: list[VideoFrame] = []
    ended = threading.Event()
    camera = Camera(path, frames.append, ended.set, Ticking(step))
    assert ended.wait(60)
    camera.close()
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


async def _read_into(source: CameraSource, items: list[MediaItem]) -> None:
    async with source:
        async for item in source:
            items.append(item)


async def test_a_camera_that_is_unplugged_is_told_after_all_its_pictures(tmp_path: Path) -> None:
    """Without sound there is nothing to go on with, and nothing that came is lost."""
    source = CameraSource(_recording(tmp_path), audio=False, clock=Ticking(0.1))
    assert (source.live, source.has_audio, source.has_video) == (True, False, True)
    items: list[MediaItem] = []
    with pytest.raises(UserError, match="gives no more pictures; check its cable"):
        await _read_into(source, items)
    assert 45 <= len(items) <= 50
    assert all(isinstance(item, VideoFrame) for item in items)
    assert source.skipped_packets > 0


async def test_stop_ends_a_camera(tmp_path: Path) -> None:
    """What was captured is still given, and nothing more."""
    source = CameraSource(_recording(tmp_path), audio=False, clock=Ticking(0.1))
    async with source:
        await anext(aiter(source))
        source.stop()
        rest = [item async for item in source]
    assert len(rest) < 50


async def test_a_missing_camera_says_what_to_do(capfd: pytest.CaptureFixture[str]) -> None:
    """One line that names the camera and the next steps, and no noise from OpenCV."""
    with pytest.raises(UserError, match=rf"cannot open camera {_NO_CAMERA}; .*--no-video"):
        async with CameraSource(_NO_CAMERA, audio=False):
            pass
    assert capfd.readouterr() == ("", "")


async def test_a_missing_microphone_closes_the_rest(tmp_path: Path) -> None:
    """Opening either works or leaves nothing open."""
    threads = threading.active_count()
    with pytest.raises(UserError, match="--no-audio"):
        async with CameraSource(_recording(tmp_path), microphone="no such microphone"):
            pass
    assert threading.active_count() <= threads + 1  # the loop's own worker
