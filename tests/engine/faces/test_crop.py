"""Tests of cutting a face out."""

from __future__ import annotations

import numpy as np
import pytest

from engine.faces import Box, Framing, crop_face
from engine.faces.crop import crop_quality
from stream.media import Image

EXACT = Framing(scale=1.0, offset_y=0.0)


def ramp() -> Image:
    """Red grows to the right and green downwards, one level a pixel."""
    y, x = np.mgrid[:200, :200]
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


def test_a_crop_of_the_same_size_is_the_box() -> None:
    """Without a change of scale the pixels are copied as they are."""
    image = np.random.default_rng(0).integers(0, 255, (90, 90, 3)).astype(np.uint8)
    crop = crop_face(image, Box(20, 30, 68, 78), 48, EXACT)
    np.testing.assert_array_equal(crop, image[30:78, 20:68])


def test_a_crop_averages_when_it_shrinks() -> None:
    """Fine stripes become an even grey instead of aliasing."""
    image = np.zeros((192, 192, 3), np.uint8)
    image[:, ::2] = 255
    crop = crop_face(image, Box(0, 0, 192, 192), 48, EXACT)
    np.testing.assert_allclose(crop[4:-4, 4:-4], 127.5, atol=2)


@pytest.mark.parametrize("side", [24.0, 48.0, 100.0, 150.0])
def test_a_crop_is_where_its_framing_says(side: float) -> None:
    """Middle and extent follow scale and offset, to a fraction of a pixel."""
    box = Box(95.25 - side / 2, 90.5 - side / 2, 95.25 + side / 2, 90.5 + side / 2)
    framing = Framing(scale=0.8, offset_y=0.1)
    crop = crop_face(ramp(), box, 32, framing).astype(float)
    assert crop[..., 0].mean() == pytest.approx(95.25 - 0.5, abs=0.6)
    assert crop[..., 1].mean() == pytest.approx(90.5 + 0.1 * side - 0.5, abs=0.6)
    pixel = 0.8 * side / 32
    assert crop[16, 30, 0] - crop[16, 1, 0] == pytest.approx(29 * pixel, abs=1.5)


def test_beyond_the_picture_its_border_is_repeated() -> None:
    """A box that reaches out of the picture gives a full crop without a black edge."""
    image = np.full((100, 100, 3), 200, np.uint8)
    crop = crop_face(image, Box(-40, -40, 60, 60), 48, EXACT)
    assert crop.shape == (48, 48, 3)
    assert crop.min() == 200


@pytest.mark.parametrize("box", [Box(5, 5, 5, 5), Box(9, 9, 2, 2), Box(-900, 0, -800, 90)])
def test_a_degenerate_box_is_no_error(box: Box) -> None:
    """An empty box, or one far outside, still gives a picture."""
    assert crop_face(ramp(), box, 16).shape == (16, 16, 3)


def test_a_framing_must_show_something() -> None:
    """A scale that is not positive is refused."""
    with pytest.raises(ValueError, match="scale"):
        Framing(scale=0.0, offset_y=0.0)


def test_quality_falls_with_every_defect() -> None:
    """A small, blurred, dark or glaring face, or a low score, is worth less."""
    sharp = np.random.default_rng(0).integers(60, 200, (48, 48, 3)).astype(np.uint8)
    good = crop_quality(sharp, 100, 1.0)
    assert good == 1.0
    assert crop_quality(sharp, 24, 1.0) == pytest.approx(0.5)
    assert crop_quality(sharp, 100, 0.5) == pytest.approx(0.5)
    assert crop_quality(np.full_like(sharp, 128), 100, 1.0) == 0.0
    assert crop_quality(sharp // 8, 100, 1.0) < 0.1
    assert crop_quality(np.maximum(sharp, 252), 100, 1.0) == 0.0
