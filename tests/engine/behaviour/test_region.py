"""Tests of the squares that networks look at."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.behaviour.region import Region, around, crop, to_picture

regions = st.builds(
    Region,
    st.floats(-50, 250),
    st.floats(-50, 250),
    st.floats(1, 400),
    st.floats(-math.pi, math.pi),
)


@given(regions, st.booleans())
def test_the_middle_of_a_crop_is_the_middle_of_its_region(region: Region, mirror: bool) -> None:
    """Whatever the turn and the size, mirrored or not."""
    middle = to_picture(np.array([[32, 32, 0]], np.float32), region, 64, mirror=mirror)
    np.testing.assert_allclose(middle[0], [region.x, region.y, 0], atol=1e-3)


@given(regions)
def test_distances_and_depths_scale_alike(region: Region) -> None:
    """Two points of a crop that are a side apart are a side of the region apart."""
    points = to_picture(np.array([[0, 0, 64], [64, 0, 0]], np.float32), region, 64)
    assert math.dist(points[0, :2], points[1, :2]) == pytest.approx(region.side, rel=1e-3)
    assert points[0, 2] == pytest.approx(region.side, rel=1e-3)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("side", [40.0, 160.0, 500.0])
def test_a_spot_in_the_crop_is_taken_back_to_where_it_is(side: float, mirror: bool) -> None:
    """Crop and way back agree, for regions that are enlarged and that are shrunk."""
    image = np.zeros((240, 320, 3), np.uint8)
    x, y, radius = 170, 110, max(1, round(side / 40))
    image[y - radius : y + radius, x - radius : x + radius] = 255
    region = Region(160.0, 115.0, side, 0.5)
    found = np.argwhere(crop(image, region, 64, mirror=mirror)[..., 0] > 100)
    row, column = found.mean(axis=0) + 0.5
    back = to_picture(np.array([[column, row, 0]], np.float32), region, 64, mirror=mirror)
    np.testing.assert_allclose(back[0, :2], [x, y], atol=side / 64)


def test_a_turned_region_is_shown_upright() -> None:
    """A line along the region's x axis is horizontal in the crop."""
    image = np.zeros((200, 200, 3), np.uint8)
    along = np.arange(-80, 80)
    image[(100 + along * math.sin(0.6)).astype(int), (100 + along * math.cos(0.6)).astype(int)] = (
        255
    )
    rows = np.argwhere(crop(image, Region(100.0, 100.0, 100.0, 0.6), 100)[..., 0] > 60)[:, 0]
    assert np.ptp(rows) <= 3


@given(regions)
def test_outside_the_picture_is_black(region: Region) -> None:
    """No region, however far outside, raises."""
    image = np.full((3, 2, 3), 255, np.uint8)
    far = region._replace(x=region.x + 2000)
    assert not crop(image, far, 16).any()


def test_a_region_around_points_holds_them() -> None:
    """The side is the longer one of the box, times the scale."""
    points = np.array([[10, 20], [50, 30]], np.float32)
    assert around(points, 0.0, 1.5) == Region(30.0, 25.0, 60.0, 0.0)
    assert around(points[:1], 0.0, 1.5).side == 1.0
