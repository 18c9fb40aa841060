"""A voice is measured against its speaker's earlier turns, and against none but those."""

from __future__ import annotations

import pytest
import torch

from engine.model.model import TurnInputs
from engine.model.speaker import PRIOR, SpeakerScale, voice_scale


def windows(count: int, mean: float, deviation: float, seed: int = 1) -> torch.Tensor:
    """Features of a speaker with a place and a width of their own: (W, 3)."""
    noise = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return mean + deviation * noise


def test_an_unknown_speaker_is_as_the_corpus() -> None:
    """Standardised features stay as they are."""
    first = windows(4, 0.5, 1.0)
    torch.testing.assert_close(SpeakerScale.unknown(3).normalise(first), first)


def test_a_known_speaker_is_centred_and_scaled() -> None:
    """After many utterances what is usual for the speaker is 0 and its deviation 1."""
    scale = SpeakerScale.unknown(3)
    for seed in range(100):
        scale = scale.heard(windows(5, 2.0, 0.5, seed))
    normalised = scale.normalise(windows(500, 2.0, 0.5, 1000))
    torch.testing.assert_close(normalised.mean(0), torch.zeros(3), atol=0.3, rtol=0)
    torch.testing.assert_close(normalised.std(0), torch.ones(3), atol=0.2, rtol=0)


def test_it_moves_step_by_step() -> None:
    """The mean is that of what was heard with `PRIOR` windows of the corpus in it."""
    scale = SpeakerScale.unknown(3).heard(torch.full((8, 3), 3.0))
    assert scale.normalise(torch.full((1, 3), 3 * 8 / (8 + PRIOR))).abs().max() < 1e-6


def test_outliers_end_at_five_deviations() -> None:
    """And a speaker who never varied does not blow up what comes next."""
    scale = SpeakerScale.unknown(1).heard(torch.zeros(10_000, 1))
    assert scale.normalise(torch.tensor([[3.0], [-3.0]])).tolist() == [[5.0], [-5.0]]
    assert scale.normalise(torch.tensor([[0.1]])).item() == pytest.approx(0.1 / 0.05**0.5)


def test_only_turns_of_the_speaker_with_a_voice_count() -> None:
    """Others' voices and the speaker's turns in text alone change nothing."""
    mine, others = windows(2, 1.0, 1.0), windows(3, -4.0, 1.0)
    turns = [
        TurnInputs("Ann", voice=mine),
        TurnInputs("Ben", voice=others),
        TurnInputs("Ann", "without a voice"),
    ]
    scale = voice_scale(turns, "Ann")
    assert scale is not None
    assert scale.count == 2
    torch.testing.assert_close(scale.total, mine.sum(0))
    assert voice_scale(turns, "Cid") is None
    assert voice_scale([], "Ann") is None
