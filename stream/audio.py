"""Sound made safe, and put on the sample clock."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.media import SAMPLE_RATE, AudioChunk, Samples


def clean(samples: NDArray[np.floating]) -> Samples:
    """A float32 copy in [-1, 1]; NaN and infinity become silence."""
    safe = np.nan_to_num(samples.astype(np.float32), copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(safe, -1.0, 1.0, out=safe)


def sample_index(time: float) -> int:
    """The sample that sounds at `time` media seconds."""
    return round(time * SAMPLE_RATE)


class SampleClock:
    """Turns timestamped blocks of sound into chunks that neither overlap nor drift.

    Containers round timestamps (Matroska to a millisecond) and sound cards tick a little fast
    or slow, so a block rarely starts on the very sample where the last one ended. Up to
    `tolerance_seconds` apart, blocks are joined as they are: cutting or padding at every block
    would be heard as clicks. Beyond that the timestamp wins: an overlap is trimmed, and a gap
    stays a gap between two chunks.
    """

    def __init__(self, tolerance_seconds: float = 0.04) -> None:
        self._tolerance = round(tolerance_seconds * SAMPLE_RATE)
        self._next: int | None = None

    def place(self, time: float, samples: NDArray[np.floating]) -> AudioChunk | None:
        """The block as a chunk, or None if it brings nothing new.

        Args:
            time: Media seconds of the first sample, as the timestamp says.
            samples: Shape (N,), at 16 kHz.
        """
        index = sample_index(time)
        first_allowed = 0 if self._next is None else self._next
        if self._next is not None and abs(index - self._next) <= self._tolerance:
            index = self._next
        if index < first_allowed:
            samples = samples[first_allowed - index :]
            index = first_allowed
        if len(samples) == 0:
            return None
        self._next = index + len(samples)
        return AudioChunk(index / SAMPLE_RATE, clean(samples))
