"""Per-speaker running normalisation: how a voice differs from what is usual for its speaker.

Live, nothing is known of a speaker before the first utterance, so the scale begins as the
corpus's and moves to the speaker's as utterances come: a Bayesian mean with `PRIOR` windows
of the corpus in it. Only the past is used, in training as live.

Letters in shapes: W windows, D features.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from engine.model.model import TurnInputs

PRIOR = 8.0
"""Windows of an average speaker that a scale begins with."""


@dataclass(frozen=True, eq=False)
class SpeakerScale:
    """Sums over the standardised features of one speaker's windows so far.

    Training keeps one for each of W windows in one object: then `count` is (W, 1) and the
    sums are (W, D).
    """

    count: float | Tensor
    total: Tensor
    """(D,)"""
    squares: Tensor
    """(D,)"""

    @classmethod
    def unknown(cls, features: int) -> SpeakerScale:
        """Of a speaker who has not spoken yet."""
        return cls(0.0, torch.zeros(features), torch.zeros(features))

    def heard(self, windows: Tensor) -> SpeakerScale:
        """With the (W, D) corpus-standardised features of one more utterance."""
        return SpeakerScale(
            self.count + len(windows),
            self.total + windows.sum(0),
            self.squares + windows.square().sum(0),
        )

    def normalise(self, windows: Tensor, prior: float = PRIOR) -> Tensor:
        """(W, D) corpus-standardised features -> (W, D) relative to the speaker, clipped at 5."""
        weight = self.count + prior
        mean = self.total / weight
        variance = (self.squares + prior) / weight - mean.square()
        return ((windows - mean) / variance.clamp_min(0.05).sqrt()).clamp(-5, 5)


@dataclass(frozen=True, eq=False)
class Heard:
    """How a speaker sounded in turns that are no longer kept."""

    voice: SpeakerScale | None = None
    """Of the functionals; None where none was kept."""
    prosody: SpeakerScale | None = None
    """Of the measured prosody; None where none was measured."""


def voice_scale(
    turns: Iterable[TurnInputs], speaker: str, before: SpeakerScale | None = None
) -> SpeakerScale | None:
    """Of the turns of a speaker that had a voice, in order; None where there is none.

    Args:
        turns: Of all speakers.
        speaker: Whose.
        before: Of what the speaker said before these turns.
    """
    scale = before
    for turn in turns:
        if turn.speaker == speaker and turn.voice is not None:
            scale = (scale or SpeakerScale.unknown(turn.voice.shape[1])).heard(turn.voice)
    return scale
