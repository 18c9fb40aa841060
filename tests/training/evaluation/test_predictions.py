"""Counts by dialogue and by confidence add up to the scores of all."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.predictions import Predictions, reliability

LABELS = ("joy", "anger", "fear")


def predictions(dialogues: list[int], seed: int = 0) -> Predictions:
    """Random predictions of random truths."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, len(dialogues))
    return Predictions(LABELS, truth, rng.dirichlet([1] * 3, len(dialogues)), np.array(dialogues))


def test_dialogues_add_up() -> None:
    """Confusions of all dialogues are the whole one, gaps the whole calibration error."""
    whole = predictions([5, 5, 2, 9, 9, 9, 2, 5])
    assert whole.dialogue_count == 3
    scores = whole.scores()
    assert (whole.confusions().sum(0) == scores.confusion).all()
    assert np.abs(whole.calibration_gaps().sum(0)).sum() / 8 == pytest.approx(scores.ece)


def test_dialogues_are_kept_apart() -> None:
    """A dialogue's confusion is that of its own examples, in the order of the numbers."""
    whole = predictions([5, 5, 2, 9])
    of_two = Predictions(LABELS, whole.truth[2:3], whole.probabilities[2:3], np.array([2]))
    assert (whole.confusions()[0] == of_two.scores().confusion).all()


def test_reliability_by_hand() -> None:
    """Fifteen bins; accuracy and mean confidence of each, None where there is no example."""
    truth = np.array([0, 0, 1])
    given = np.array([[0.95, 0.05, 0.0], [0.97, 0.02, 0.01], [0.5, 0.3, 0.2]])
    bins = reliability([Predictions(LABELS, truth, given, np.array([0, 0, 1]))])
    assert len(bins) == 15
    assert (bins[0].low, bins[-1].high) == (0, 1)
    assert (bins[-1].n, bins[-1].accuracy, bins[-1].confidence) == (2, 1.0, pytest.approx(0.96))
    assert (bins[7].n, bins[7].accuracy, bins[7].confidence) == (1, 0.0, 0.5)
    assert bins[3].n == 0
    assert bins[3].accuracy is None
    assert bins[3].confidence is None


def test_reliability_gives_the_calibration_error_of_a_run() -> None:
    """Gaps weighted by the size of the bins; two equal runs have twice the examples."""
    one = predictions(list(range(40)), seed=3)
    bins = reliability([one])
    gaps = [b.n * abs(b.confidence - b.accuracy) for b in bins if b.n]  # type: ignore[operator]
    assert sum(gaps) / 40 == pytest.approx(one.scores().ece)
    assert [b.n for b in reliability([one, one])] == [2 * b.n for b in bins]
