"""Pictures of an evaluation."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from matplotlib.image import imread

from training.evaluation.figures import DOTS_PER_INCH, confusion_png, reliability_png
from training.evaluation.predictions import Predictions, reliability

LABELS = ("joy", "anger", "fear")


def size(png: bytes) -> tuple[int, int]:
    """Width and height from the header of a PNG file."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert png[12:16] == b"IHDR"
    assert png[-8:-4] == b"IEND"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize("labels", [2, 6, 7])
def test_a_confusion_matrix_has_room_for_its_labels(labels: int) -> None:
    """A square picture that grows with the number of labels."""
    names = [f"label {index}" for index in range(labels)]
    side = int((2.2 + 0.62 * labels) * DOTS_PER_INCH)
    png = confusion_png(names, np.eye(labels, dtype=np.int64))
    assert size(png) == pytest.approx((side, side), abs=1)


def test_the_colour_says_the_share() -> None:
    """The darkest of a row is where most of it goes; a row of nothing is not dark."""
    png = confusion_png(LABELS, np.array([[90, 10, 0], [0, 0, 0], [0, 100, 0]]))
    pixels = imread(io.BytesIO(png))[..., :3].mean(-1)
    side = pixels.shape[0]
    # The blue of a full share is the darkest area: take the median, which text hardly moves.
    dark = (pixels < 0.45).mean()
    flat = confusion_png(LABELS, np.ones((3, 3), np.int64))
    assert dark > 0.1
    assert (imread(io.BytesIO(flat))[..., :3].mean(-1) < 0.45).mean() < 0.05
    assert side > 300


def test_the_same_data_give_the_same_bytes() -> None:
    """A report can be made again; other counts give another picture."""
    counts = np.array([[3, 1, 0], [0, 2, 0], [1, 1, 1]])
    assert confusion_png(LABELS, counts) == confusion_png(LABELS, counts)
    assert confusion_png(LABELS, counts) != confusion_png(LABELS, counts.T)


def test_a_reliability_diagram_is_drawn_of_few_examples_too() -> None:
    """Bins without examples have no bar, and one example is enough."""
    one = Predictions(LABELS, np.array([0]), np.array([[0.8, 0.1, 0.1]]), np.array([0]))
    png = reliability_png(reliability([one]))
    assert size(png) == pytest.approx((5.2 * DOTS_PER_INCH, 5.4 * DOTS_PER_INCH), abs=1)
    right = Predictions(LABELS, np.array([1]), np.array([[0.8, 0.1, 0.1]]), np.array([0]))
    assert reliability_png(reliability([right])) != png
