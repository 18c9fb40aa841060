"""Tests of boxes and squares."""

from __future__ import annotations

import itertools

import pytest

from engine.faces.geometry import Box, overlap, tiles, whole


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Box(0, 0, 10, 10), 1.0),
        (Box(5, 0, 15, 10), 1 / 3),
        (Box(10, 0, 20, 10), 0.0),
        (Box(20, 20, 30, 30), 0.0),
    ],
)
def test_overlap_is_intersection_over_union(other: Box, expected: float) -> None:
    """Equal boxes have 1, boxes that only touch 0."""
    assert overlap(Box(0, 0, 10, 10), other) == pytest.approx(expected)


def test_whole_holds_the_picture() -> None:
    """The square around a wide picture is as wide, and centred on it."""
    assert whole(360, 640) == (320, 180, 640)


@pytest.mark.parametrize(("height", "width"), [(360, 640), (640, 360), (480, 640), (100, 300)])
def test_tiles_cover_the_picture_with_overlap(height: int, width: int) -> None:
    """From edge to edge, and any face of half a tile lies whole in one of them."""
    along = 0 if width > height else 1
    squares = tiles(height, width)
    assert squares[0].corner == (0, 0)
    assert squares[-1].corner[along] + squares[-1].side == max(height, width)
    steps = [b[along] - a[along] for a, b in itertools.pairwise(squares)]
    assert max(steps) <= min(height, width) / 2


@pytest.mark.parametrize(("height", "width"), [(360, 360), (2, 900), (900, 2)])
def test_squares_and_strips_have_no_tiles(height: int, width: int) -> None:
    """In a square a tile is no closer look; a strip would need very many."""
    assert tiles(height, width) == []
