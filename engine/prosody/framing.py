"""Overlapping frames of a sound.

Letters in shapes: N samples, F frames, S samples of a frame.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def cut_frames(samples: Array, length: int, step_seconds: float, rate: int) -> tuple[Array, Array]:
    """Frames centred in the sound, as many as fit.

    Args:
        samples: (N,).
        length: S.
        step_seconds: From a frame to the next.
        rate: Samples a second.

    Returns:
        Frames (F, S), and the seconds of their middles (F,); none where N is less than S.
    """
    if len(samples) < length:
        return np.zeros((0, length)), np.zeros(0)
    step = step_seconds * rate
    count = int((len(samples) - length) / step) + 1
    first = (len(samples) - length - (count - 1) * step) / 2
    starts = (first + step * np.arange(count)).astype(np.int64)
    frames = np.lib.stride_tricks.sliding_window_view(samples, length)[starts]
    return frames, (starts + length / 2) / rate


@functools.cache
def fast_length(least: int) -> int:
    """The next even length that a Fourier transform is quick with: of factors 2, 3 and 5."""
    length = least + least % 2
    while _without_factors(length) != 1:
        length += 2
    return length


def _without_factors(number: int) -> int:
    for factor in (2, 3, 5):
        while number % factor == 0:
            number //= factor
    return number
