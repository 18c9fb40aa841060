"""Decoded pictures made upright, bounded in size and not too many."""

from __future__ import annotations

from typing import Any

import av
import numpy as np

from stream.media import Image

MAX_SIDE = 640
"""Longest side of a picture in pixels: enough for faces, and 15 s of them stay under 250 MB."""
MAX_FPS = 15.0
"""Pictures per second: three times what the longest utterance is sampled at."""
MAX_PIXELS = 8192 * 4608
"""Largest picture that is decoded; a crafted file may claim any size."""

_MATRIX_BYTES = 36
_LARGEST_ASPECT = 4.0  # of a pixel; beyond it the file is wrong rather than anamorphic


class FrameLimiter:
    """Passes at most `max_fps` pictures per second, chosen by their time, not by their count."""

    def __init__(self, max_fps: float = MAX_FPS) -> None:
        self._max_fps = max_fps
        self._slot: int | None = None

    def passes(self, time: float) -> bool:
        """Whether to take the picture at `time`; times must not run backwards."""
        # Each slot of 1/max_fps takes its first picture. The offset keeps pictures that come
        # exactly once per slot, with rounded timestamps, from falling into a neighbour's.
        slot = int(time * self._max_fps + 0.4)
        if self._slot is not None and slot <= self._slot:
            return False
        self._slot = slot
        return True


def picture_size(width: int, height: int, pixel_aspect: float = 1.0) -> tuple[int, int]:
    """Width and height to scale to: square pixels, proportions kept, no side over MAX_SIDE."""
    if 1 / _LARGEST_ASPECT <= pixel_aspect <= _LARGEST_ASPECT:
        width = round(width * pixel_aspect)
    scale = min(1.0, MAX_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def upright_image(frame: av.VideoFrame, pixel_aspect: float = 1.0) -> Image:
    """The picture as its maker held the camera, shape (H, W, 3), RGB."""
    width, height = picture_size(frame.width, frame.height, pixel_aspect)
    # One thread: sharing out a picture this small costs more than it gains on a busy machine.
    image = frame.to_ndarray(format="rgb24", width=width, height=height, threads=1)
    return np.ascontiguousarray(_oriented(image.astype(np.uint8, copy=False), frame))


def _oriented(image: Image, frame: av.VideoFrame) -> Image:
    """Apply the display matrix that phones write beside their pictures.

    The matrix sends a pixel at (x, y) to (a x + c y, b x + d y), in 16.16 fixed point
    (libavutil/display.h). Cameras turn by quarters and mirror, so signs are all that matters.
    """
    sides: Any = frame.side_data  # its type stubs say that it holds strings
    matrices = [side for side in sides if side.type.name == "DISPLAYMATRIX"]
    if not matrices or matrices[0].buffer_size < _MATRIX_BYTES:
        return image
    a, b, _, c, d = np.frombuffer(matrices[0], np.int32)[:5].tolist()
    if abs(a) >= abs(c):
        horizontal, vertical = a, d
    else:
        image, horizontal, vertical = image.transpose(1, 0, 2), c, b
    return image[:: -1 if vertical < 0 else 1, :: -1 if horizontal < 0 else 1]
