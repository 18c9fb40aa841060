"""Harmonics-to-noise ratio over time, by forward cross-correlation (as Boersma, 1993).

Letters in shapes: N samples, F frames, S samples of a frame, L lags.
"""

from __future__ import annotations

import numpy as np

from engine.prosody.framing import Array, cut_frames, fast_length
from stream.media import SAMPLE_RATE

FLOOR = 75.0
"""Hz: a frame is one period of it, and is compared with what comes up to one period later."""
STEP = 0.01
"""Seconds from a frame to the next."""
SILENCE = 0.1
"""Share of the loudest peak below which a frame is rather unvoiced."""
LARGEST_RATIO = 1 - 1e-6
"""60 dB: no microphone is better."""


def harmonicity(samples: Array) -> Array:
    """Ratio in dB of the frames that have one: (F,), empty without any."""
    period = round(SAMPLE_RATE / FLOOR)
    frames, _ = cut_frames(samples, 2 * period, STEP, SAMPLE_RATE)
    loudest = float(np.abs(samples - samples.mean()).max(initial=0.0))
    if not len(frames) or loudest == 0:
        return np.zeros(0)
    frames = frames - frames.mean(1, keepdims=True)
    strength = np.minimum(_strongest(_cross_correlation(frames, period)), LARGEST_RATIO)
    peaks = np.abs(frames[:, period // 2 : -(period // 2)]).max(1) / loudest
    voiced = strength > np.maximum(0, 2 - peaks / SILENCE)
    ratio = strength[voiced]
    decibels: Array = 10 * np.log10(ratio / (1 - ratio))
    return decibels


def _cross_correlation(frames: Array, period: int) -> Array:
    """(F, L) of the first period of (F, 2 periods) with itself later, normalised."""
    size = fast_length(3 * period)
    start = frames[:, :period]
    product = np.fft.irfft(np.fft.rfft(frames, size) * np.conj(np.fft.rfft(start, size)), size)[
        :, : period + 1
    ]
    energy = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), 1)
    later = energy[:, period:] - energy[:, : period + 1]
    return product / np.sqrt(np.maximum(later[:, :1] * later, 1e-300))


def _strongest(correlation: Array) -> Array:
    """(F,) height of the highest peak of (F, L) after the one at 0, on a parabola."""
    inner, before, after = correlation[:, 1:-1], correlation[:, :-2], correlation[:, 2:]
    top = (inner > before) & (inner >= after) & (inner > 0)
    top[:, 0] = False
    curve = 2 * inner - before - after  # positive wherever `top` is
    slope = after - before
    lift = np.divide(slope**2, 8 * curve, out=np.zeros_like(inner), where=top & (curve > 0))
    highest: Array = np.where(top, inner + lift, -np.inf).max(1)
    return highest
