"""Articulation rate without words (de Jong and Wempe, 2009, Behavior Research Methods 41, 385).

A syllable is a peak of the level that a dip of 2 dB follows and that is voiced. As in the
published script the last peak has none after it and is not counted.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from engine.prosody.framing import Array
from engine.prosody.level import levels
from engine.prosody.pitch import PitchSearch, pitch_track
from stream.media import SAMPLE_RATE

SILENCE = -25.0
"""dB relative to the loud parts (99 % of the time is below them) below which nobody speaks."""
DIP = 2.0
"""dB."""
SHORTEST_PAUSE, SHORTEST_SOUND = 0.3, 0.1
"""Seconds."""
LOWEST_PITCH = 50.0
"""Hz: smooths the level."""
VOICES = PitchSearch(
    floor=30, ceiling=450, step=0.02, voicing=0.25, voicing_change=0.25, candidates=3
)


def articulation_rate(samples: Array) -> float:
    """Syllables per second of speaking; NaN where there are none."""
    level, times = levels(samples, LOWEST_PITCH)
    if len(level) < 3:
        return float("nan")
    threshold = float(np.quantile(level, 0.99)) + SILENCE
    stretches = _speaking(level > threshold, times, len(samples) / SAMPLE_RATE)
    spoken = sum(end - start for start, end in stretches)
    peaks = _valid_peaks(level, max(threshold, float(level.min())))
    if not len(peaks) or spoken <= 0:
        return float("nan")
    pitch, moments = pitch_track(samples, VOICES)
    count = sum(
        _is_voiced(times[peak], pitch, moments)
        and any(start <= times[peak] <= end for start, end in stretches)
        for peak in peaks
    )
    return count / spoken if count else float("nan")


def _valid_peaks(level: Array, threshold: float) -> NDArray[np.int64]:
    """Indices of the peaks above a threshold that a dip follows before the next."""
    inner = level[1:-1]
    peaks = np.flatnonzero((inner > level[:-2]) & (inner >= level[2:]) & (inner > threshold)) + 1
    return np.array(
        [a for a, b in itertools.pairwise(peaks) if level[a] - level[a : b + 1].min() > DIP],
        np.int64,
    )


def _speaking(loud: NDArray[np.bool_], times: Array, end: float) -> list[tuple[float, float]]:
    """Stretches of (F,) loud frames, without short sounds and over short pauses."""
    step = times[1] - times[0]
    edges = np.flatnonzero(np.diff(loud, prepend=False, append=False)).reshape(-1, 2)
    last = len(loud)
    runs = [
        (0.0 if a == 0 else times[a] - step / 2, end if b == last else times[b - 1] + step / 2)
        for a, b in edges
    ]
    runs = [(a, b) for a, b in runs if b - a >= SHORTEST_SOUND]
    joined: list[tuple[float, float]] = []
    for begin, finish in runs:
        if joined and begin - joined[-1][1] < SHORTEST_PAUSE:
            joined[-1] = (joined[-1][0], finish)
        else:
            joined.append((begin, finish))
    return joined


def _is_voiced(time: float, pitch: Array, moments: Array) -> bool:
    if not len(pitch):
        return False
    return bool(pitch[int(np.abs(moments - time).argmin())] > 0)
