"""Where a film cuts and where it does not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.faces.shots import MAX_GAP_SECONDS, ShotMeter
from stream.media import Image, VideoFrame


def cuts(*pictures: Image, step: float = 0.05) -> list[bool]:
    """Whether each picture begins a shot."""
    meter = ShotMeter()
    return [meter(VideoFrame(step * index, image)) for index, image in enumerate(pictures)]


@pytest.fixture(scope="module")
def one(clip: list[VideoFrame]) -> Image:
    """A shot."""
    return clip[0].image


@pytest.fixture(scope="module")
def other(one: Image) -> Image:
    """The reverse shot."""
    return np.ascontiguousarray(one[:, ::-1])


def test_a_film_of_one_shot_has_no_cut(clip: list[VideoFrame]) -> None:
    """A person who talks, at 24 pictures a second and at 4."""
    assert not any(cuts(*(frame.image for frame in clip)))
    assert not any(cuts(*(frame.image for frame in clip[::6]), step=0.25))


def test_a_reverse_shot_is_a_cut(one: Image, other: Image) -> None:
    """There and back; the frames between are not."""
    assert cuts(one, one, other, other, one) == [False, False, True, False, True]


def test_a_close_up_is_a_cut(one: Image) -> None:
    """Of the same scene."""
    height, width = one.shape[:2]
    part = one[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4]
    close = np.asarray(cv2.resize(part, (width, height)), np.uint8)
    assert cuts(one, close) == [False, True]


@pytest.mark.parametrize(("gain", "offset"), [(0.4, 0), (0.7, 30), (1.6, 0), (1.0, 60)])
def test_light_that_changes_is_no_cut(one: Image, gain: float, offset: float) -> None:
    """A lamp, or a camera that adapts: the same people are there."""
    lit = np.clip(gain * one + offset, 0, 255).astype(np.uint8)
    assert not any(cuts(one, lit, one))


def test_borders_hide_no_cut(one: Image, other: Image) -> None:
    """A film in a frame of black, as on a phone held upright."""
    bordered = [np.pad(image, ((400, 400), (0, 0), (0, 0))) for image in (one, other)]
    assert cuts(*bordered) == [False, True]


def test_a_fade_through_black_is_a_cut(one: Image, other: Image) -> None:
    """And the same shot after black is none."""
    black = np.zeros_like(one)
    assert cuts(one, black, black, other) == [False, False, False, True]
    assert not any(cuts(one, black, black, one))


def test_pictures_far_apart_are_not_compared(one: Image, other: Image) -> None:
    """Whatever moved has moved on."""
    assert not any(cuts(one, other, step=MAX_GAP_SECONDS + 0.1))


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 900, 3), (360, 640, 3)])
def test_pictures_without_content_are_no_cuts(shape: tuple[int, ...]) -> None:
    """Of a pixel, a strip, of one colour."""
    assert not any(cuts(np.zeros(shape, np.uint8), np.full(shape, 200, np.uint8)))
