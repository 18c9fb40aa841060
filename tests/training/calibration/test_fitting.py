"""Temperature, bias and threshold are found, and kept only where they help."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.calibrate import Scored, fit_all
from training.calibration.fitting import (
    COVERAGE,
    Labelled,
    choose,
    confidence_at,
    cross_fit,
    fit,
)
from training.datasets.labels import MELD_LABELS

BIAS = torch.tensor([1.5, 0.0, 0.0, -0.5, -1.0])


def drawn(count: int, seed: int, bias: torch.Tensor | None = None) -> Labelled:
    """Scores that are twice too sure, and lack a bias."""
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(count, 5, generator=generator)
    true = (scores / 2 + (0 if bias is None else bias)).softmax(1)
    return scores, torch.multinomial(true, 1, generator=generator).squeeze(1)


def test_temperature_and_bias_are_found() -> None:
    """Up to a constant, which changes no probability."""
    found = fit(drawn(4000, 1, BIAS), bias=True)
    assert found.temperature == pytest.approx(2, rel=0.1)
    assert found.bias is not None
    given = torch.tensor(found.bias)
    torch.testing.assert_close(given - given.mean(), BIAS - BIAS.mean(), atol=0.15, rtol=0)


def test_few_turns_pull_the_bias_to_nothing() -> None:
    """A label that is always right in five turns is no reason for certainty."""
    found = fit((torch.zeros(5, 5), torch.zeros(5, dtype=torch.long)), bias=True)
    assert found.bias is not None
    assert max(map(abs, found.bias)) < 3


def test_a_bias_is_kept_where_it_helps() -> None:
    """Turns that were held out decide, and there must be enough of them."""
    assert choose((drawn(600, 1, BIAS), drawn(600, 2, BIAS)))[0]
    assert not choose((drawn(600, 1), drawn(600, 2)))[0]
    assert not choose((drawn(600, 1, BIAS), drawn(150, 2, BIAS)))[0]


def test_a_fold_is_told_with_what_the_other_taught() -> None:
    """Folds that contradict each other are told badly: nothing of a fold's own truth is used."""
    scores = torch.eye(5)[torch.arange(400) % 5] * 4
    right, wrong = torch.arange(400) % 5, (torch.arange(400) + 1) % 5
    held = cross_fit(((scores, right), (scores, wrong)), bias=False)
    assert len(held.truth) == 800
    sure, unsure = held.probabilities[:400].max(1).values, held.probabilities[400:].max(1).values
    assert bool((unsure > 0.9).all())  # the right ones taught that
    assert bool((sure < 0.3).all())


@pytest.mark.parametrize(("coverage", "expected"), [(0.8, 0.3), (1.0, 0.1), (0.01, 1.0)])
def test_the_threshold_answers_that_share(coverage: float, expected: float) -> None:
    """Of ten turns the eight surest are those at or above it."""
    confidence = np.linspace(0.1, 1, 10)
    found = confidence_at(confidence[::-1], coverage)
    assert found == pytest.approx(expected)
    assert (confidence >= found).mean() >= coverage


def test_a_threshold_is_rounded_down() -> None:
    """As many turns are answered as were to be, even where all confidences are nearly one."""
    generator = torch.Generator().manual_seed(0)
    labelled = torch.rand(40, 7, generator=generator) / 1e4, torch.arange(40) % 7
    folds = (labelled[0][:20], labelled[1][:20]), (labelled[0][20:], labelled[1][20:])
    calibration, _ = fit_all({"text": Scored(labelled, folds)}, MELD_LABELS)
    probabilities = calibration.probabilities(labelled[0], [["text"]] * 40)
    answered = [not calibration.abstains(one, ["text"]) for one in probabilities.max(1).values]
    assert sum(answered) >= COVERAGE * 40
