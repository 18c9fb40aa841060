"""Pitch of a sound over time, by autocorrelation (Boersma, 1993, IFA Proceedings 17, 97-110).

Letters in shapes: N samples, F frames, S samples of a frame, L lags, K candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.prosody.framing import Array, cut_frames, fast_length
from stream.media import SAMPLE_RATE

_OVERSAMPLING = 2
"""Of the lags: a parabola over samples at 16 kHz is too coarse for high voices."""
_BLOCK = 256
"""Frames at once, so that a long sound takes little memory."""
_OCTAVE_JUMP = 0.35
_VOICING_CHANGE = 0.14
"""Costs of a path, for frames 10 ms apart."""


@dataclass(frozen=True)
class PitchSearch:
    """What is taken for a voice."""

    floor: float = 75.0
    """Hz."""
    ceiling: float = 600.0
    """Hz."""
    step: float = 0.01
    """Seconds from a frame to the next."""
    voicing: float = 0.45
    """Strength from which a frame is voiced, 0 to 1."""
    voicing_change: float = _VOICING_CHANGE
    """Cost of a change between voiced and unvoiced."""
    silence: float = 0.03
    """Share of the loudest peak below which a frame is rather unvoiced."""
    octave: float = 0.01
    """How much higher candidates are preferred, per octave."""
    candidates: int = 8


def pitch_track(samples: Array, search: PitchSearch) -> tuple[Array, Array]:
    """Pitch in Hz of frames, 0 where unvoiced, and their times: (F,) and (F,)."""
    length = 2 * int(1.5 / search.floor * SAMPLE_RATE)
    frames, times = cut_frames(samples, length, search.step, SAMPLE_RATE)
    loudest = float(np.abs(samples - samples.mean()).max(initial=0.0))
    if not len(frames) or loudest == 0:
        return np.zeros(len(frames)), times
    blocks = [frames[at : at + _BLOCK] for at in range(0, len(frames), _BLOCK)]
    found = [_candidates(_autocorrelation(block, search), search) for block in blocks]
    pitches, strengths = (np.concatenate(parts) for parts in zip(*found, strict=True))
    peaks = _local_peaks(frames, search) / loudest
    unvoiced = search.voicing + np.maximum(0, 2 - peaks / (search.silence / (1 + search.voicing)))
    return _best_path(pitches, strengths, unvoiced, search), times


def _autocorrelation(frames: Array, search: PitchSearch) -> Array:
    """(F, L) normalised autocorrelation of (F, S), corrected for the window."""
    length = frames.shape[1]
    lags = int(length / 3) + 2
    size = fast_length(length + lags - 1)
    window = np.hanning(length + 2)[1:-1]
    centred = (frames - frames.mean(1, keepdims=True)) * window

    def correlate(signal: Array) -> Array:
        power = np.abs(np.fft.rfft(signal, size)) ** 2
        power[..., -1] /= 2  # the highest frequency is split when lags are interpolated
        raw = np.fft.irfft(power, size * _OVERSAMPLING)[..., : lags * _OVERSAMPLING]
        normalised: Array = raw / np.maximum(raw[..., :1], 1e-300)
        return normalised

    found: Array = correlate(centred) / correlate(window)
    return found


def _local_peaks(frames: Array, search: PitchSearch) -> Array:
    """(F,) largest deviation from the mean in the middle period of each frame."""
    middle = frames.shape[1] // 2
    half = int(0.5 / search.floor * SAMPLE_RATE)
    own = frames[:, middle - half : middle + half + 1] - frames.mean(1, keepdims=True)
    peaks: Array = np.abs(own).max(1)
    return peaks


def _candidates(correlation: Array, search: PitchSearch) -> tuple[Array, Array]:
    """(F, K) pitches and their strengths, -inf where there are fewer."""
    rate = SAMPLE_RATE * _OVERSAMPLING
    inner, before, after = correlation[:, 1:-1], correlation[:, :-2], correlation[:, 2:]
    top = (inner > before) & (inner >= after) & (inner > 0.5 * search.voicing)
    top[:, : int(rate / search.ceiling) - 1] = False
    curve = 2 * inner - before - after
    shift = np.divide(after - before, 2 * curve, out=np.zeros_like(inner), where=top & (curve > 0))
    height = np.minimum(inner + 0.25 * (after - before) * shift, 1.0)
    pitch = rate / (np.arange(1, correlation.shape[1] - 1) + shift)
    strength = np.where(top, height - search.octave * np.log2(search.floor / pitch), -np.inf)
    strength[(pitch > search.ceiling) | (pitch < search.floor)] = -np.inf
    count = min(search.candidates, strength.shape[1])
    chosen = np.argpartition(-strength, count - 1, axis=1)[:, :count]
    return np.take_along_axis(pitch, chosen, 1), np.take_along_axis(strength, chosen, 1)


def _best_path(pitches: Array, strengths: Array, unvoiced: Array, search: PitchSearch) -> Array:
    """(F,) pitch of the path with the most strength and the fewest jumps (Viterbi)."""
    scale = 0.01 / search.step
    gain = np.concatenate([unvoiced[:, None], strengths], 1)  # (F, 1 + K)
    octaves = np.log2(pitches)
    jump, change = _OCTAVE_JUMP * scale, search.voicing_change * scale
    total = gain[0]
    came_from: list[NDArray[np.int64]] = []
    cost = np.empty((gain.shape[1], gain.shape[1]))
    for frame in range(1, len(gain)):
        cost[0, 0] = 0
        cost[0, 1:] = cost[1:, 0] = change
        cost[1:, 1:] = jump * np.abs(octaves[frame - 1][:, None] - octaves[frame])
        reached = total[:, None] - cost
        best = reached.argmax(0)
        came_from.append(best)
        total = reached[best, np.arange(len(best))] + gain[frame]
    place = int(total.argmax())
    path = [place]
    for best in reversed(came_from):
        place = int(best[place])
        path.append(place)
    chosen = np.array(path[::-1])
    rows = np.arange(len(chosen))
    return np.where(chosen > 0, pitches[rows, np.maximum(chosen - 1, 0)], 0.0)
