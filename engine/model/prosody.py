"""From measured prosody to label scores: how the voice of a turn differs from usual.

How loud and how clear a recording is depends on the microphone and the room, so these two
count only relative to what the same speaker said before; pitch, its movement and the rate
count both as they are and relatively. How long a turn is is left out: live, voice activity
decides it, not an editor.

Letters in shapes: n turns, P measures, D inputs of the network, E emotions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from engine.model.speaker import SpeakerScale
from engine.prosody import MEASURES

if TYPE_CHECKING:
    from engine.model.model import TurnInputs

LOGARITHMIC = ("duration", "avg_pitch")
"""Measures that are compared by their ratio."""
DYNAMICS = ("pitch_std", "pitch_range")
"""Of the pitch: where they are 0 there were too few voiced moments, so they are unknown."""
ABSOLUTE = ("intensity_variation", "avg_pitch", "pitch_std", "pitch_range", "articulation_rate")
"""Measures that mean something without knowing the speaker."""
RELATIVE = (*ABSOLUTE, "avg_intensity", "mean_hnr")
"""Measures whose difference from the speaker's past means something."""
MEMBERS = 3
"""Networks that were trained apart and are joined into one: their mean is steadier."""
HIDDEN = 32 * MEMBERS
MOST_TURNS = 4.0
"""Of the speaker: the network is told how many are known, up to these."""


def _places(names: Iterable[str]) -> list[int]:
    return [MEASURES.index(name) for name in names]


class ProsodyEncoder(nn.Module):
    """Standardises measures, and has a small network from them to emotions."""

    mean: Tensor
    deviation: Tensor
    log_prior: Tensor

    def __init__(self, emotions: int, dropout: float = 0.0, hidden: int = HIDDEN) -> None:
        """Untrained; `fit_scale` sets the standardisation."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(MEASURES)))
        self.register_buffer("deviation", torch.ones(len(MEASURES)))
        self.register_buffer("log_prior", torch.zeros(emotions))
        inputs = len(ABSOLUTE) + 2 * len(RELATIVE) + 1
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, emotions)
        )

    def fit_scale(self, measured: Tensor, labels: Tensor) -> None:
        """Take the scale of (n, P) measures and how frequent each label is among (n,)."""
        values = _transform(measured)
        known = ~values.isnan()
        count = known.sum(0).clamp_min(1)
        filled = values.nan_to_num()
        self.mean.copy_(filled.sum(0) / count)
        squares = torch.where(known, (filled - self.mean).square(), 0).sum(0)
        self.deviation.copy_((squares / count).sqrt().clamp_min(1e-6))
        frequent = torch.bincount(labels, minlength=len(self.log_prior)).clamp_min(1)
        self.log_prior.copy_((frequent / frequent.sum()).log())

    def standardise(self, measured: Tensor) -> Tensor:
        """(n, P) measures -> (n, P), outliers clipped at 5 deviations; NaN stays."""
        return ((_transform(measured) - self.mean) / self.deviation).clamp(-5, 5)

    def scale(self, measured: Iterable[Tensor], before: SpeakerScale | None = None) -> SpeakerScale:
        """What is usual for a speaker, from the (P,) measures of the turns before.

        `before` is of turns before these.
        """
        scale, rows = before or SpeakerScale.unknown(len(MEASURES)), list(measured)
        if not rows:
            return scale
        return scale.heard(self.standardise(torch.stack(rows)).nan_to_num().cpu())

    def describe(self, measured: Tensor, scale: SpeakerScale) -> Tensor:
        """(P,) measures of a turn, after what `scale` has heard -> (D,)."""
        own = self.standardise(measured[None])[0].cpu()
        absent = own.isnan()
        own = own.nan_to_num()
        usual = scale.total / scale.count if scale.count else own
        relative = torch.where(absent, 0, own - usual).clamp(-5, 5)
        known = own.new_tensor([min(scale.count, MOST_TURNS) / MOST_TURNS])
        parts = [own[_places(ABSOLUTE)], relative[_places(RELATIVE)]]
        return torch.cat([*parts, absent[_places(RELATIVE)].float(), known])

    def forward(self, described: Tensor) -> Tensor:
        """Log-probabilities as if all labels were equally frequent: (n, D) -> (n, E).

        The words, which these are added to, know the frequencies already.
        """
        return (self.layers(described) - self.log_prior).log_softmax(-1)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def scores(self, measured: Tensor, scale: SpeakerScale) -> Tensor:
        """Log-probabilities of one turn: (P,) -> (E,)."""
        found: Tensor = self(self.describe(measured, scale).to(self.mean)[None])[0].cpu()
        return found


def add_prosody(
    turn: TurnInputs,
    measured: Tensor,
    encoder: ProsodyEncoder,
    past: Iterable[TurnInputs],
    before: SpeakerScale | None = None,
) -> TurnInputs:
    """The turn with its (P,) measures and what they say, after the turns before it.

    `before` is of what its speaker said before these turns.
    """
    scale = encoder.scale(past_prosody(past, turn.speaker), before)
    return replace(turn, prosody=measured, prosody_scores=encoder.scores(measured, scale))


def past_prosody(turns: Iterable[TurnInputs], speaker: str) -> list[Tensor]:
    """The measures of the turns of a speaker that have some, in order."""
    return [t.prosody for t in turns if t.speaker == speaker and t.prosody is not None]


def _transform(measured: Tensor) -> Tensor:
    """(n, P): logarithms where ratios count; NaN where nothing is known."""
    values = measured.clone().float()
    logarithmic, dynamics = _places(LOGARITHMIC), _places(DYNAMICS)
    values[:, logarithmic] = values[:, logarithmic].clamp_min(1e-3).log()
    still = values[:, MEASURES.index("pitch_range")] <= 0
    for place in dynamics:
        values[still, place] = torch.nan
    return values
