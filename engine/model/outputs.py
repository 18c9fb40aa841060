"""What the recogniser says of an utterance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.behaviour import Behaviour
    from engine.model.model import TurnInputs


@dataclass(frozen=True)
class Recognition:
    """The expressed emotion of one utterance, with how sure and from what."""

    probabilities: Mapping[str, float]
    """Calibrated probability of every label of the bundle; sums to 1."""
    contributions: Mapping[str, float] = field(default_factory=dict)
    """Per used modality: how much probability of the winner is due to it."""
    quality: Mapping[str, float] = field(default_factory=dict)
    """Per used modality, 0 to 1: share of frames with a good face, share of unclipped sound, ..."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Per modality that was not used, why: `no face`, `no audio`, `switched off`, ..."""
    abstained: bool = False
    """Whether there was nothing to go by, or the confidence is below the bundle's threshold."""
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds per stage: `faces`, `video`, `audio`, `prosody`, `llm`."""
    inputs: TurnInputs | None = None
    """The utterance as it was encoded, to remember in the history of the dialogue."""
    pictures: int = 0
    """How many pictures were looked at."""
    behaviour: Behaviour | None = None
    """What face and body do, where that is described: the worker adds it."""

    @property
    def label(self) -> str:
        """The most probable label."""
        return max(self.probabilities, key=lambda label: self.probabilities[label])

    @property
    def confidence(self) -> float:
        """Probability of `label`."""
        return self.probabilities[self.label]
