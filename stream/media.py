"""What every source produces and every consumer reads.

All times are media seconds: seconds since the start of the source, on one clock
for audio and video.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples per second of all audio after a source."""

Samples = NDArray[np.float32]
Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class AudioChunk:
    """A stretch of mono sound."""

    time: float
    """Media seconds of the first sample."""
    samples: Samples
    """Shape (N,), float32 at 16 kHz, in [-1, 1]."""

    @property
    def end(self) -> float:
        """Media seconds just after the last sample."""
        return self.time + len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One upright picture."""

    time: float
    """Media seconds of presentation."""
    image: Image
    """Shape (H, W, 3), RGB."""


@dataclass(frozen=True, eq=False)
class Utterance:
    """What a participant said and showed from `start` to `end`: the only door to the model."""

    id: str
    """Time-ordered UUID, kept across redelivery."""
    participant: str
    """Pseudonymous id of who speaks."""
    start: float
    """Media seconds."""
    end: float
    """Media seconds."""
    frames: tuple[VideoFrame, ...] = ()
    """At most 64 frames, uniform over the utterance; empty without video."""
    audio: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    """Shape (N,), 16 kHz mono, of [start, end); empty without audio."""
    text: str | None = None
    """What was said; None where no transcript is known."""
    frames_dropped: int = 0
    """Frames of this stretch that were lost or could not be decoded."""
    degraded: tuple[str, ...] = ()
    """Reasons why the media is worse than it could be, for the event."""
    short: bool = False
    """Whether there is so little speech that it is an utterance only if a word is heard in it."""

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start

    def with_text(self, text: str | None) -> Utterance:
        """The same utterance with a transcript."""
        return replace(self, text=text)
