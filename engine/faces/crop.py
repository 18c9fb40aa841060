"""From a detector's box to the square picture that the face encoder takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from engine.faces.geometry import Box
from stream.media import Image

SHARP_VARIANCE = 100.0
"""Variance of the Laplacian, in grey levels squared, from which a crop counts as sharp."""
DARK, DIM, BRIGHT, GLARE = 15.0, 60.0, 225.0, 250.0
"""Mean grey levels: nothing to see below the first or above the last, good in the middle."""


@dataclass(frozen=True)
class Framing:
    """How much of the picture around a box a crop shows."""

    scale: float
    """Side of the crop in sides of the box."""
    offset_y: float
    """Shift of the crop downwards, in sides of the box; negative is up."""

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale of the framing is {self.scale}: it must be positive")


FER2013_FRAMING = Framing(scale=1.17, offset_y=-0.08)
"""Makes crops that show as much of a face as FER2013 does (`training.measure_framing`)."""


def crop_face(image: Image, box: Box, size: int, framing: Framing = FER2013_FRAMING) -> Image:
    """Cut a face out, upright and to the fraction of a pixel.

    Args:
        image: Shape (H, W, 3), RGB.
        box: The face, as the detector gives it.
        size: Side of the crop in pixels.
        framing: How much around the box is shown.

    Returns:
        Shape (size, size, 3). Beyond the picture its border pixels are repeated.
    """
    side = max(1.0, framing.scale * box.side)
    x, y = box.centre
    y += framing.offset_y * box.side
    # Sampled finer than needed, then averaged: a plain warp would skip pixels and alias.
    factor = math.ceil(side / size)
    fine = size * factor
    step = side / fine
    first = 0.5 * step - 0.5
    matrix = np.array([[step, 0, x - side / 2 + first], [0, step, y - side / 2 + first]])
    sampled = cv2.warpAffine(
        image,
        matrix,
        (fine, fine),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if factor > 1:
        sampled = cv2.resize(sampled, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(sampled, np.uint8)


def crop_quality(crop: Image, source_side: float, score: float) -> float:
    """How much a crop is worth, 0 to 1.

    The product of the detector's score, the share of the crop's side that the camera
    resolved, sharpness (variance of the Laplacian) and brightness.

    Args:
        crop: Shape (S, S, 3), RGB.
        source_side: Side of what was cropped, in pixels of the picture.
        score: Of the detector.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    resolution = min(1.0, source_side / len(crop))
    sharpness = min(1.0, float(cv2.Laplacian(grey, cv2.CV_64F).var()) / SHARP_VARIANCE)
    mean = float(grey.mean())
    brightness = min((mean - DARK) / (DIM - DARK), (GLARE - mean) / (GLARE - BRIGHT), 1.0)
    return score * resolution * sharpness * max(0.0, brightness)
