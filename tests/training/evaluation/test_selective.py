"""Risk by coverage against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.predictions import Predictions
from training.evaluation.selective import accuracy_at, risks, selective, selective_json

CONFIDENCE = np.array([0.5, 0.9, 0.7, 0.6])
HITS = np.array([0, 1, 0, 1])


def test_risks_by_hand() -> None:
    """The surest is right, the second wrong, the third right, the last wrong."""
    np.testing.assert_allclose(risks(CONFIDENCE, HITS), [0, 1 / 2, 1 / 3, 1 / 2])


def test_equal_confidences_have_no_order() -> None:
    """Neither the first nor the last of equals is answered first."""
    same = np.full(4, 0.5)
    np.testing.assert_allclose(risks(same, HITS), [0.5] * 4)
    np.testing.assert_allclose(risks(same, HITS[::-1]), [0.5] * 4)


@pytest.mark.parametrize(
    ("coverage", "accuracy"), [(1.0, 0.5), (0.75, 2 / 3), (0.5, 0.5), (0.01, 1.0)]
)
def test_accuracy_at_a_coverage(coverage: float, accuracy: float) -> None:
    """At least one turn is answered; at 100 % it is the accuracy."""
    assert accuracy_at(CONFIDENCE, HITS, coverage) == pytest.approx(accuracy)


def predictions(right: int) -> Predictions:
    """Ten turns at falling confidence, the first ones right."""
    confidence = np.linspace(0.95, 0.55, 10)
    truth = np.array([0] * right + [1] * (10 - right))
    given = np.stack([confidence, 1 - confidence], 1)
    return Predictions(("joy", "fear"), truth, given, np.arange(10))


def test_runs_are_averaged() -> None:
    """Every run has its own curve; the figure at 80 % is their mean."""
    figures = selective([predictions(10), predictions(6)])
    assert dict(figures.accuracy_at) == pytest.approx(
        {0.8: (1 + 6 / 8) / 2, 0.9: (1 + 6 / 9) / 2, 1.0: 0.8}
    )
    assert figures.aurc == pytest.approx((0 + (1 / 7 + 2 / 8 + 3 / 9 + 4 / 10) / 10) / 2)
    assert figures.curve[-1] == (1.0, pytest.approx(0.2))
    document = selective_json(figures)
    assert set(document) == {"aurc", "accuracy_at", "curve"}
    assert set(document["accuracy_at"]) == {"0.8", "0.9", "1"}
