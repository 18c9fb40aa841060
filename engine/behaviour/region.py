"""Rotated squares of a picture: what a landmark network looks at, and the way back.

Letters in shapes: H height, W width, S side of a network's input, N points.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.media import Image

MAX_OVERSAMPLING = 4
"""Samples per pixel and axis where a large region is shrunk; bounds the work on large pictures."""

Floats = NDArray[np.float32]


class Region(NamedTuple):
    """A square in a picture, which may be turned and may reach outside."""

    x: float
    """Middle, pixels."""
    y: float
    """Middle, pixels."""
    side: float
    """Length of a side, pixels."""
    angle: float = 0.0
    """Radians by which its x axis is turned clockwise in the picture."""

    def matrix(self, size: int) -> NDArray[np.float64]:
        """From pixels of a crop of some size to pixels of the picture, shape (2, 3)."""
        scale = self.side / size
        cosine, sine = math.cos(self.angle) * scale, math.sin(self.angle) * scale
        half = size / 2
        return np.array(
            [
                [cosine, -sine, self.x - half * cosine + half * sine],
                [sine, cosine, self.y - half * sine - half * cosine],
            ]
        )


def around(points: Floats, angle: float, scale: float) -> Region:
    """A region around points: the longer side of their upright box, times a factor.

    Args:
        points: Shape (N, 2), pixels; N at least 1.
        angle: How the region is turned, radians.
        scale: Side in longer sides of the box.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = (low + high) / 2
    return Region(float(x), float(y), max(1.0, scale * float((high - low).max())), angle)


def crop(image: Image, region: Region, size: int, *, mirror: bool = False) -> Image:
    """What is in a region, upright, shape (size, size, 3).

    Args:
        image: Shape (H, W, 3), RGB, neither side 0 nor above 32,766.
        region: Where; black outside the picture.
        size: Side of the crop, pixels.
        mirror: Swap left and right of the crop.
    """
    factor = min(MAX_OVERSAMPLING, max(1, math.ceil(region.side / size)))
    fine = size * factor
    matrix = region.matrix(fine)
    # Pixels have their middle at half a pixel in our coordinates, at 0 in OpenCV's.
    matrix[:, 2] += 0.5 * matrix[:, :2].sum(axis=1) - 0.5
    sampled: NDArray[Any] = cv2.warpAffine(
        image, matrix, (fine, fine), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    if factor > 1:
        sampled = cv2.resize(sampled, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(sampled[:, ::-1] if mirror else sampled, np.uint8)


def to_picture(points: Floats, region: Region, size: int, *, mirror: bool = False) -> Floats:
    """Take points of a crop back to the picture.

    Args:
        points: Shape (N, 3): x and y in pixels of the crop, and depth in the same unit.
        region: Of the crop.
        size: Side of the crop, pixels.
        mirror: Whether the crop was mirrored.

    Returns:
        Shape (N, 3), pixels of the picture.
    """
    flat = points[:, :2].astype(np.float64)
    if mirror:
        flat[:, 0] = size - flat[:, 0]
    matrix = region.matrix(size)
    placed = flat @ matrix[:, :2].T + matrix[:, 2]
    depth = points[:, 2:] * (region.side / size)
    return np.concatenate([placed, depth], axis=1).astype(np.float32)
