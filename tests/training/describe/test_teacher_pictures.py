"""Pictures on their way to a teacher."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from requests_double import frames

from stream.media import VideoFrame
from training.describe.pictures import LONGEST_EDGE, fit, frames_hash, jpeg


def test_the_same_pictures_have_the_same_hash() -> None:
    """A resumed run knows what it has seen, on any machine."""
    assert frames_hash(frames(1)) == frames_hash(list(frames(1)))
    assert frames_hash(()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_any_change_changes_the_hash() -> None:
    """One pixel, one time, one picture less, another order, or other rows and columns."""
    first, second = frames(1)
    pixel = first.image.copy()
    pixel[3, 4, 1] ^= 1
    variants = [
        (first, second),
        (VideoFrame(first.time, pixel), second),
        (dataclasses.replace(first, time=0.04), second),
        (first,),
        (second, first),
        (VideoFrame(first.time, first.image.reshape(64, 48, 3)), second),
    ]
    assert len({frames_hash(variant) for variant in variants}) == len(variants)


def test_the_hash_does_not_depend_on_memory_layout() -> None:
    """Half of a wider picture is what it is when copied."""
    (frame,) = frames(1, 1)
    half = frame.image[:, :32]
    copied = np.ascontiguousarray(half)
    assert frames_hash([VideoFrame(0, half)]) == frames_hash([VideoFrame(0, copied)])


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((720, 1280), (360, 640)),
        ((1280, 720), (640, 360)),
        ((48, 64), (48, 64)),
        ((640, 640), (640, 640)),
        ((1, 5000), (1, 640)),
    ],
)
def test_a_picture_fits(size: tuple[int, int], expected: tuple[int, int]) -> None:
    """The longer side is bounded, proportions are kept, small pictures stay as they are."""
    image = fit(np.full((*size, 3), 77, np.uint8))
    assert image.shape == (*expected, 3)
    assert image.dtype == np.uint8
    assert (image == 77).all()
    assert max(image.shape) <= LONGEST_EDGE


def test_a_jpeg_has_the_colours_of_the_picture() -> None:
    """Red stays red."""
    image = np.zeros((16, 16, 3), np.uint8)
    image[..., 0] = 250
    data = jpeg(image)
    assert data[:3] == b"\xff\xd8\xff"
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert shown.mean((0, 1)) == pytest.approx([250, 0, 0], abs=4)
