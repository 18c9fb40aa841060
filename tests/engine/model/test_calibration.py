"""Probabilities that say how often they are right."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from engine.model.calibration import BOUNDS, Calibration, fit_temperature


def drawn(temperature: float, count: int = 6000) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores, and truth drawn from them at a temperature."""
    generator = torch.Generator().manual_seed(4)
    scores = 3 * torch.randn(count, 7, generator=generator)
    probabilities = (scores / temperature).softmax(1)
    return scores, torch.multinomial(probabilities, 1, generator=generator).squeeze(1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5, 6.0])
def test_the_temperature_is_found(temperature: float) -> None:
    """Truth that was drawn at a temperature is explained best by that one."""
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.1)


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_hopeless_data_give_a_temperature_all_the_same(scale: float) -> None:
    """Scores that are always right, always wrong or without meaning: finite and positive."""
    truth = torch.arange(35) % 7
    right = torch.eye(7)[truth] * scale
    for scores in (right, -right, torch.zeros(35, 7), torch.ones(35, 7) * scale):
        temperature = fit_temperature(scores, truth)
        assert BOUNDS[0] * 0.99 <= temperature <= BOUNDS[1] * 1.01
        Calibration({"text": temperature})


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-3, 1e3), st.integers(1, 12))
def test_no_temperature_near_the_one_found_is_better(seed: int, scale: float, count: int) -> None:
    """A few turns at any scale, however little they say: the least cross-entropy in the bounds."""
    generator = torch.Generator().manual_seed(seed)
    scores = scale * torch.randn(count, 7, generator=generator)
    truth = torch.randint(7, (count,), generator=generator)

    def loss(temperature: float) -> float:
        return float(functional.cross_entropy(scores / temperature, truth))

    found = fit_temperature(scores, truth)
    others = [found * factor for factor in (0.5, 0.9, 1.1, 2.0)]
    inside = [other for other in (*others, *BOUNDS) if BOUNDS[0] <= other <= BOUNDS[1]]
    assert all(loss(found) <= loss(other) + 1e-4 * (1 + loss(other)) for other in inside)


def test_each_subset_has_its_own_temperature() -> None:
    """Rows are divided by the temperature of what they were made from; by 1 where none is known."""
    calibration = Calibration({"text": 2.0, "text+video": 0.5})
    scores = torch.randn(3, 7)
    probabilities = calibration.probabilities(scores, [("text",), ("text", "video"), ()])
    expected = torch.stack([scores[0] / 2, scores[1] / 0.5, scores[2]]).softmax(1)
    torch.testing.assert_close(probabilities, expected)


def test_survives_json() -> None:
    """What is stored is what is read back."""
    calibration = Calibration({"text": 1.25, "audio+video": 3.0})
    assert Calibration.from_dict(calibration.to_dict()) == calibration


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "1.5", None])
def test_an_impossible_temperature_is_refused(value: object) -> None:
    """The message names whose it is."""
    with pytest.raises(ValueError, match="text"):
        Calibration.from_dict({"temperatures": {"text": value}})


@pytest.mark.parametrize(
    "document",
    [{}, {"temperatures": {}, "bias": 1}, {"temperature": {}}, {"temperatures": [1.0]}],
)
def test_anything_else_is_refused(document: dict[str, object]) -> None:
    """An unknown key, a missing one or a list where an object belongs."""
    with pytest.raises(ValueError, match="temperatures"):
        Calibration.from_dict(document)
