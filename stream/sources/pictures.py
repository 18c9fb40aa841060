"""Decoded pictures made upright, bounded in size and not too many."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np

from stream.media import Image
from stream.sources.damage import decoding
from stream.sources.pyav import display_matrix

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


@dataclass(frozen=True)
class _Turn:
    swapped: bool = False
    """Whether rows become columns."""
    vertical: int = 1
    """-1 where it is upside down then ..."""
    horizontal: int = 1
    """... and where left is right."""


class Upright:
    """The pictures of one track, as their maker held the camera."""

    def __init__(self) -> None:
        self._kind: tuple[int, int, int] | None = None
        self._turn = _Turn()

    def __call__(self, frame: av.VideoFrame, pixel_aspect: float = 1.0) -> Image:
        """The picture: shape (H, W, 3), RGB.

        Raises:
            DamagedError: FFmpeg cannot convert it.
        """
        # PyAV ties a frame and its side data into a cycle, and only the garbage collector would
        # free such a frame, hundreds too late: so they are read where something has changed.
        kind = frame.rotation, frame.width, frame.height
        if kind != self._kind:
            self._kind, self._turn = kind, _turn(frame)
        width, height = picture_size(frame.width, frame.height, pixel_aspect)
        # One thread: sharing out a picture this small costs more than it gains on a busy machine.
        with decoding():
            image = frame.to_ndarray(format="rgb24", width=width, height=height, threads=1)
        image = image.astype(np.uint8, copy=False)
        if self._turn.swapped:
            image = image.transpose(1, 0, 2)
        return np.ascontiguousarray(image[:: self._turn.vertical, :: self._turn.horizontal])


def _turn(frame: av.VideoFrame) -> _Turn:
    """What the display matrix says that phones write beside their pictures.

    The matrix sends a pixel at (x, y) to (a x + c y, b x + d y), in 16.16 fixed point
    (libavutil/display.h). Cameras turn by quarters and mirror, so signs are all that matters.
    """
    matrix = display_matrix(frame)
    if matrix is None or matrix.buffer_size < _MATRIX_BYTES:
        return _Turn()
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    swapped = abs(a) < abs(c)
    horizontal, vertical = (c, b) if swapped else (a, d)
    return _Turn(swapped, -1 if vertical < 0 else 1, -1 if horizontal < 0 else 1)
