"""Intensity of a sound over time, in dB.

The scale is Praat's: a sample of 1 is 1 Pa, and 0 dB is 2e-5 Pa. Letters in shapes: N
samples, F frames.
"""

from __future__ import annotations

import numpy as np

from engine.prosody.framing import Array, cut_frames
from stream.media import SAMPLE_RATE

HEARING_THRESHOLD = 2e-5
"""Pa; 0 dB."""
LOWEST_LEVEL = -300.0
"""dB of digital silence."""
_KAISER_BETA = 2 * np.pi**2 + 0.5
"""Of the window: side lobes below -190 dB."""


def levels(samples: Array, lowest_pitch: float) -> tuple[Array, Array]:
    """Level in dB of frames, and their times in seconds: (F,) and (F,).

    A frame has 6.4 periods of `lowest_pitch`, in Hz, and a new one begins every 0.8 of them,
    so that no voice above it makes the level ripple.
    """
    length = round(6.4 / lowest_pitch * SAMPLE_RATE)
    frames, times = cut_frames(samples, length, 0.8 / lowest_pitch, SAMPLE_RATE)
    window = np.kaiser(length, _KAISER_BETA)
    window /= window.sum()
    centred = frames - frames.mean(1, keepdims=True)
    power = (centred**2) @ window
    with np.errstate(divide="ignore"):
        found = 10 * np.log10(power / HEARING_THRESHOLD**2)
    return np.maximum(found, LOWEST_LEVEL), times


def mean_level(level: Array) -> float:
    """Of (F,) levels, as power: in dB."""
    return float(10 * np.log10(np.mean(10 ** (level / 10))))
