"""A change of speaker inside one stretch of speech. Sans-I/O.

A window of sound is compared with those before it that it does not overlap; where it is
least like them, and little enough, somebody else has begun.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from engine.voices.embedding import WINDOW_SECONDS

HOP_SECONDS = 0.4
"""From the start of a window to the start of the next."""
OTHER_VOICE = 0.58
"""Similarity below which it is another voice. Measured with `benchmarks.voices`: higher finds
more changes and takes more changes of tone for one."""
WINDOWS_BEFORE = 3
"""Windows that stand for the voice before."""

_EPSILON = 1e-6  # seconds; far below a sample


class VoiceChange:
    """Finds where the voice changes, about 2 s later: a window and the hop after it.

    A change needs about 1.6 s of speech before it, and as much after it.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin with the next stretch of speech."""
        kept = WINDOWS_BEFORE + math.ceil(WINDOW_SECONDS / HOP_SECONDS)
        self._windows: deque[tuple[float, NDArray[np.float32]]] = deque(maxlen=kept)
        self._last = self._before_last = (0.0, math.inf)  # start and similarity

    def heard(self, start: float, embedding: NDArray[np.float32]) -> float | None:
        """Take the next window of the stretch.

        Args:
            start: Of the window, media seconds; `HOP_SECONDS` after that of the one before.
            embedding: Of its 1.6 s, of length 1; shape (D,).

        Returns:
            When somebody else began to speak, media seconds; None where nobody did.
        """
        similarity = self._similarity(start, embedding)
        self._windows.append((start, embedding))
        change = self._found(similarity)
        self._before_last, self._last = self._last, (start, similarity)
        if change is None:
            return None
        while self._windows[0][0] < change:
            self._windows.popleft()
        # What follows is compared with the new voice only.
        self._last = self._before_last = (start, math.inf)
        return change

    def flush(self) -> float | None:
        """The stretch is over: when somebody else began in its last window, if so."""
        change = self._found(math.inf)
        self.reset()
        return change

    def _found(self, similarity: float) -> float | None:
        """Where the last window begins if it is least like what came before it."""
        (start, low), earlier = self._last, self._before_last[1]
        return start if low < OTHER_VOICE and low <= earlier and low < similarity else None

    def _similarity(self, start: float, embedding: NDArray[np.float32]) -> float:
        """Of a window to those that end where it starts, or before; inf without any."""
        ended = [
            vector for begun, vector in self._windows if begun + WINDOW_SECONDS <= start + _EPSILON
        ]
        if not ended:
            return math.inf
        before = np.sum(ended[-WINDOWS_BEFORE:], 0)
        return float(before @ embedding / max(1e-9, float(np.linalg.norm(before))))
