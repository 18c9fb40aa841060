"""Several channels of sound as one, so that nothing cancels out. No input or output here.

The mean of a stereo recording whose one side is out of phase (a cable soldered the wrong way, a
"wide" microphone) is silence, and the mean of one with a dead side is half as loud as it was
spoken. So a channel that mirrors the main one is turned round, and the channels that live share
the weight of those that are dead. No channel is ever left out: it may speak later.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.media import Samples

BLOCK_SECONDS = 0.02
"""How often it is looked at what the channels have in common; changes are faded over as long."""
MIRRORED = -0.5
"""Correlation with the main channel below which a channel is turned round ..."""
ALIKE = 0.3
"""... and above which it is turned back."""
DEAD_SHARE = 0.01
"""A channel is dead whose loudest moment has less than this share of the power of the loudest."""

_MEMORY_SECONDS = 0.5  # of correlations: the power of speech outlasts pauses by far
_FORGET_SECONDS = 60.0  # of the loudest moments
_MAIN_FACTOR = 4.0  # how much more powerful another channel must be to become the main one
_TINY = 1e-12


class Mixer:
    """Mixes the channels of one track.

    Args:
        weights: Share of each channel in the mix, shape (C,), not negative.
        rate: Samples per second.
    """

    def __init__(self, weights: NDArray[np.floating], rate: int) -> None:
        self._weights = np.asarray(weights, np.float64)
        self._rate = rate
        channels = len(self._weights)
        self._products = np.zeros(channels)  # of each channel with the main one
        self._powers = np.zeros(channels)
        self._peaks = np.zeros(channels)  # power of the loudest moment
        self._signs = np.ones(channels)
        self._main: int | None = None
        self._gains: NDArray[np.float64] | None = None

    @property
    def turned(self) -> bool:
        """Whether a channel is turned round, since the mean would cancel out."""
        return bool((self._signs < 0).any())

    def __call__(self, block: NDArray[np.floating]) -> Samples:
        """The mix, shape (N,) in float32, of samples of shape (C, N) in [-1, 1]."""
        size = max(1, round(BLOCK_SECONDS * self._rate))
        pieces = [
            self._mix(block[:, first : first + size]) for first in range(0, block.shape[1], size)
        ]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)

    def _mix(self, block: NDArray[np.floating]) -> Samples:
        safe = np.nan_to_num(block.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        self._learn(safe, safe.shape[1] / self._rate)
        gains = self._wanted()
        before = gains if self._gains is None else self._gains
        self._gains = gains
        if np.array_equal(before, gains):
            mixed = gains @ safe
        else:
            fade = np.linspace(0.0, 1.0, safe.shape[1])
            mixed = (before @ safe) * (1 - fade) + (gains @ safe) * fade
        return mixed.astype(np.float32)

    def _learn(self, block: NDArray[np.float64], seconds: float) -> None:
        """Take into account what the channels have in common in a block."""
        block = block - block.mean(axis=1, keepdims=True)  # a constant voltage is no sound
        powers = np.square(block).mean(axis=1)
        self._peaks = np.maximum(self._peaks * 0.5 ** (seconds / _FORGET_SECONDS), powers)
        loudest = int(self._peaks.argmax())
        main = self._main
        if main is None or self._peaks[loudest] > _MAIN_FACTOR * self._peaks[main]:
            main = self._main = loudest
            self._products[:] = self._powers[:] = 0.0
        kept = 0.5 ** (seconds / _MEMORY_SECONDS)
        self._products = kept * self._products + seconds * (block @ block[main]) / block.shape[1]
        self._powers = kept * self._powers + seconds * powers
        alike = self._products / np.sqrt(self._powers * self._powers[main] + _TINY**2)
        main_sign = self._signs[main]
        self._signs[alike < MIRRORED] = -main_sign
        self._signs[alike > ALIKE] = main_sign

    def _wanted(self) -> NDArray[np.float64]:
        """What each channel is multiplied by."""
        gains = self._weights * self._signs
        alive = self._peaks >= DEAD_SHARE * self._peaks.max()
        share, whole = self._weights[alive].sum(), self._weights.sum()
        if share == 0:  # all that sounds is in channels that a cinema has for rumbling
            gains[alive] = self._signs[alive] * whole / alive.sum()
        elif share < whole:
            gains[alive] *= whole / share
        return gains
