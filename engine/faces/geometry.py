"""Boxes and squares in a picture, in pixels: x to the right, y down."""

from __future__ import annotations

import math
from typing import NamedTuple

MAX_ASPECT = 4
"""A picture longer than this many times its shorter side is a strip."""


class Box(NamedTuple):
    """A rectangle; it may reach outside the picture."""

    x0: float
    """Left edge."""
    y0: float
    """Upper edge."""
    x1: float
    """Right edge."""
    y1: float
    """Lower edge."""

    @property
    def centre(self) -> tuple[float, float]:
        """Middle, as x and y."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    @property
    def area(self) -> float:
        """Square pixels."""
        return max(0.0, self.x1 - self.x0) * max(0.0, self.y1 - self.y0)

    @property
    def side(self) -> float:
        """Side of the square of the same area."""
        return math.sqrt(self.area)


class Square(NamedTuple):
    """A square by its middle; it may reach outside the picture."""

    x: float
    """Middle."""
    y: float
    """Middle."""
    side: float
    """Length of a side."""

    @property
    def corner(self) -> tuple[float, float]:
        """Upper left corner, as x and y."""
        return self.x - self.side / 2, self.y - self.side / 2


def overlap(one: Box, other: Box) -> float:
    """Intersection over union, 0 to 1."""
    shared = Box(
        max(one.x0, other.x0), max(one.y0, other.y0), min(one.x1, other.x1), min(one.y1, other.y1)
    )
    if shared.x1 <= shared.x0 or shared.y1 <= shared.y0:
        return 0.0
    return shared.area / (one.area + other.area - shared.area)


def whole(height: int, width: int) -> Square:
    """The smallest square around a picture."""
    return Square(width / 2, height / 2, max(height, width))


def tiles(height: int, width: int) -> list[Square]:
    """Squares of the shorter side along the longer one, each half over the next or more.

    None for a square, and none for a strip, which would need many and shows no face.
    """
    short, long = min(height, width), max(height, width)
    if long == short or long > MAX_ASPECT * short:
        return []
    count = math.ceil((long - short) / (short / 2)) + 1
    middles = [short / 2 + (long - short) * index / (count - 1) for index in range(count)]
    if width > height:
        return [Square(middle, short / 2, short) for middle in middles]
    return [Square(short / 2, middle, short) for middle in middles]
