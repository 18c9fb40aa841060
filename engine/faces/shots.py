"""Where a film cuts: pictures after a cut show other places and people."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.media import Image, VideoFrame

SIDE = 64
"""Longer side in pixels of the pictures that are compared."""
COARSE_SIDE = 256
"""Pixels of a longer side that are looked at: averaging all of a large picture takes long."""
CHANGED_GREY = 12
"""Grey levels from which a pixel counts as changed."""
CUT_CHANGE = 0.5
"""Share of the pixels that change at a cut, at least ..."""
CUT_LIKENESS = 0.5
"""... and correlation of the pictures, at most. Light that goes on changes all grey levels, but
hardly the correlation; a face that moves fast does not change so many pixels."""
BLACK = 24
"""Grey level below which a pixel of both pictures is a border, which likens any two films."""
MIN_SHARE = 0.05
"""Share of the pixels that must remain without the borders."""
FLAT = 2.0
"""Standard deviation in grey levels below which a picture shows nothing, as between two shots."""
MAX_GAP_SECONDS = 0.6
"""Pictures further apart are not compared: whatever moved has moved on."""


class ShotMeter:
    """Tells where a film cuts, a frame at a time. Sans-I/O, deterministic."""

    def __init__(self) -> None:
        """There is no frame to compare the first one with."""
        self._time = -math.inf
        self._before: NDArray[np.uint8] | None = None

    def __call__(self, frame: VideoFrame) -> bool:
        """Whether a cut lies between the frame before and this one.

        Args:
            frame: Its picture of shape (H, W, 3), in the order of time.
        """
        small = _small_grey(frame.image)
        before, gap = self._before, frame.time - self._time
        self._time = frame.time
        if small.std() < FLAT:
            return False  # a film that fades to black and back has cut between
        self._before = small
        if before is None or before.shape != small.shape or not 0 <= gap <= MAX_GAP_SECONDS:
            return False
        return _is_cut(before, small)


def _is_cut(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether two small grey pictures (H, W) are of different shots."""
    shown = np.maximum(one, other) >= BLACK
    if shown.mean() < MIN_SHARE:
        return False
    first, second = one[shown].astype(np.float32), other[shown].astype(np.float32)
    if (np.abs(first - second) > CHANGED_GREY).mean() < CUT_CHANGE:
        return False
    spread = float(first.std() * second.std())
    shared = float(((first - first.mean()) * (second - second.mean())).mean())
    return shared < CUT_LIKENESS * spread


def _small_grey(image: Image) -> NDArray[np.uint8]:
    """A grey version of a picture (H, W, 3) whose longer side has `SIDE` pixels."""
    longer = max(image.shape[:2])
    size = tuple(max(1, round(length * SIDE / longer)) for length in image.shape[1::-1])
    step = max(1, longer // COARSE_SIDE)
    coarse = np.ascontiguousarray(image[::step, ::step])
    small: Any = cv2.resize(coarse, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
