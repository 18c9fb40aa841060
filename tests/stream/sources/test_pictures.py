"""Decoded pictures made upright, bounded in size and not too many."""

from __future__ import annotations

import gc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_factory import grey, quadrants, write_media

from stream.media import Image
from stream.sources.pictures import MAX_SIDE, FrameLimiter, Upright, picture_size


def _first_picture(path: Path) -> Image:
    with av.open(path) as container:
        track = container.streams.video[0]
        return Upright()(next(container.decode(track)), float(track.sample_aspect_ratio or 1))


@pytest.mark.parametrize("mirrored", [False, True], ids=["plain", "mirrored"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_phone_video_is_turned_upright(tmp_path: Path, rotation: int, mirrored: bool) -> None:
    """The picture is turned, and mirrored, as the display matrix of the file says."""
    path = tmp_path / "phone.mp4"
    write_media(path, pictures=[(0.0, quadrants())], rotation=rotation, mirrored=mirrored)
    turned = np.rot90(quadrants(), rotation // 90)
    expected = turned[:, ::-1] if mirrored else turned
    image = _first_picture(path)
    assert image.shape == expected.shape
    height, width = image.shape[:2]
    for row in (5, height - 6):
        for column in (5, width - 6):
            np.testing.assert_allclose(image[row, column], expected[row, column], atol=12)


def frames_alive() -> int:
    """Decoded frames that something holds, or that wait for the garbage collector."""
    return sum(type(one) is av.VideoFrame for one in gc.get_objects())


def test_pictures_are_freed_at_once(tmp_path: Path) -> None:
    """A frame that waits for the garbage collector keeps its decoder's memory, for hundreds."""
    pictures = [(number / 25, quadrants()) for number in range(12)]
    path = write_media(tmp_path / "phone.mp4", pictures=pictures, rotation=90)
    upright = Upright()
    gc.collect()
    before = frames_alive()
    gc.disable()
    try:
        with av.open(path) as container:
            for frame in container.decode(video=0):
                upright(frame)
            waiting = frames_alive() - before
    finally:
        gc.enable()
    assert waiting <= 4  # the first, whose matrix was read, the last, and what PyAV keeps


def test_a_picture_without_a_matrix_stays_as_it_is(tmp_path: Path) -> None:
    """Most videos are not turned at all."""
    path = write_media(tmp_path / "plain.mp4", pictures=[(0.0, quadrants())])
    np.testing.assert_allclose(_first_picture(path)[5, 5], (255, 0, 0), atol=12)


def test_a_large_picture_is_scaled_down(tmp_path: Path) -> None:
    """Full HD becomes 640 wide, in proportion."""
    path = write_media(tmp_path / "hd.mp4", pictures=[(0.0, grey(90, 1920, 1080))])
    assert _first_picture(path).shape == (360, 640, 3)


def test_pixels_that_are_not_square_are_evened_out(tmp_path: Path) -> None:
    """An anamorphic recording would show every face too narrow."""
    path = tmp_path / "wide.mp4"
    write_media(path, pictures=[(0.0, grey(90, 64, 48))], pixel_aspect=Fraction(2))
    assert _first_picture(path).shape == (48, 128, 3)


@given(st.integers(1, 16_384), st.integers(1, 16_384), st.floats(0, 1e6))
def test_no_side_is_ever_too_long_or_empty(width: int, height: int, aspect: float) -> None:
    """Whatever a file claims, the picture fits the bound."""
    scaled = picture_size(width, height, aspect)
    assert 1 <= min(scaled)
    assert max(scaled) <= MAX_SIDE


def _passed(times: list[float]) -> list[float]:
    limiter = FrameLimiter(15)
    return [time for time in times if limiter.passes(time)]


@pytest.mark.parametrize("fps", [5, 12.5, 15])
def test_no_picture_is_left_out_below_the_limit(fps: float) -> None:
    """Timestamps rounded to a millisecond do not cost pictures."""
    times = [round(n / fps, 3) for n in range(200)]
    assert _passed(times) == times


@pytest.mark.parametrize("fps", [30, 60, 120])
def test_a_multiple_of_the_limit_is_thinned_evenly(fps: int) -> None:
    """Every second, fourth or eighth picture passes, with rounded timestamps too."""
    passed = _passed([round(n / fps, 3) for n in range(10 * fps)])
    assert len(passed) == pytest.approx(150, abs=1)
    assert np.ptp(np.diff(passed[1:])) < 0.003


@given(st.lists(st.floats(0, 20), max_size=400).map(sorted))
def test_never_more_pictures_than_the_limit(times: list[float]) -> None:
    """A variable frame rate is limited by the clock."""
    passed = np.array(_passed(times))
    for start in range(20):
        assert np.sum((passed >= start) & (passed < start + 1)) <= 16
