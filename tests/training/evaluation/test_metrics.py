"""The figures, against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.evaluation.metrics import expected_calibration_error, scores

ABC = ("a", "b", "c")


def certain(predicted: list[int], confidence: float = 0.8) -> np.ndarray:
    """Probabilities over three labels with the given winners."""
    rest = (1 - confidence) / 2
    return np.where(np.eye(3, dtype=bool)[predicted], confidence, rest)


def test_against_hand_computed_values() -> None:
    """Truth a a a b b, predicted a a b b c: c is predicted but never true."""
    result = scores(ABC, [0, 0, 0, 1, 1], certain([0, 0, 1, 1, 2]))
    assert result.n == 5
    assert result.confusion.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert result.accuracy == pytest.approx(3 / 5)
    a, b, c = (result.per_class[label] for label in ABC)
    assert (a.precision, a.recall, a.f1, a.support) == pytest.approx((1, 2 / 3, 4 / 5, 3))
    assert (b.precision, b.recall, b.f1, b.support) == pytest.approx((1 / 2, 1 / 2, 1 / 2, 2))
    assert (c.precision, c.recall, c.f1, c.support) == (0, 0, 0, 0)
    assert result.weighted_f1 == pytest.approx((3 * 4 / 5 + 2 * 1 / 2) / 5)
    assert result.macro_f1 == pytest.approx((4 / 5 + 1 / 2 + 0) / 3)
    assert result.unweighted_accuracy == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert result.ece == pytest.approx(0.8 - 3 / 5)


def test_a_label_that_never_occurs_is_left_out_of_the_means() -> None:
    """Neither true nor predicted: it does not pull the macro F1 down."""
    result = scores(ABC, [0, 1], certain([0, 1]))
    assert result.macro_f1 == result.unweighted_accuracy == 1
    assert result.per_class["c"].support == 0


def test_equal_probabilities_go_to_the_first_label() -> None:
    """A tie is decided by the order of the labels."""
    assert scores(ABC, [0, 1], np.full((2, 3), 1 / 3)).confusion.tolist() == [
        [1, 0, 0],
        [1, 0, 0],
        [0, 0, 0],
    ]


def test_calibration_error_by_hand() -> None:
    """Two bins: gaps 0.9 - 1/2 over two examples and 0.35 - 0 over one."""
    correct = np.array([True, False, False])
    confidence = np.array([0.9, 0.9, 0.35])
    error = expected_calibration_error(correct, confidence)
    assert error == pytest.approx((2 * 0.4 + 1 * 0.35) / 3)


def test_bins_are_closed_above() -> None:
    """A confidence on an edge belongs to the bin below it, and 0 to the first bin."""
    correct = np.array([True, False])
    assert expected_calibration_error(correct, np.array([0.5, 0.4]), bins=2) == pytest.approx(0.05)
    assert expected_calibration_error(correct, np.array([0.5, 0.6]), bins=2) == pytest.approx(0.55)
    assert expected_calibration_error(~correct, np.array([0.0, 1.0]), bins=2) == 0


@st.composite
def predictions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Truth and probabilities of up to 30 examples over three labels."""
    count = draw(st.integers(1, 30))
    truth = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    seed = draw(st.integers(0, 2**32 - 1))
    return np.array(truth), np.random.default_rng(seed).dirichlet([0.5] * 3, count)


@settings(deadline=None)
@given(predictions())
def test_bounds_and_sums(case: tuple[np.ndarray, np.ndarray]) -> None:
    """All figures are fractions, and the confusion counts every example once."""
    truth, probabilities = case
    result = scores(ABC, truth, probabilities)
    overall = (
        result.accuracy,
        result.weighted_f1,
        result.macro_f1,
        result.unweighted_accuracy,
        result.ece,
    )
    assert all(0 <= figure <= 1 for figure in overall)
    assert result.confusion.sum() == result.n == len(truth)
    supports = [result.per_class[label].support for label in ABC]
    assert supports == np.bincount(truth, minlength=3).tolist()
    recalls = [result.per_class[label].recall for label in ABC]
    assert result.accuracy == pytest.approx(np.dot(recalls, supports) / len(truth))


@settings(deadline=None)
@given(predictions(), st.permutations(range(3)))
def test_order_of_labels_and_examples_does_not_matter(
    case: tuple[np.ndarray, np.ndarray], order: list[int]
) -> None:
    """Renaming the labels or reversing the examples changes no figure."""
    truth, probabilities = case
    before = scores(ABC, truth, probabilities)
    names = [ABC[i] for i in order]
    after = scores(names, np.argsort(order)[truth][::-1], probabilities[::-1, order])
    assert after.per_class == before.per_class
    assert after.macro_f1 == pytest.approx(before.macro_f1)
    assert after.weighted_f1 == pytest.approx(before.weighted_f1)
    assert after.ece == pytest.approx(before.ece)


@settings(deadline=None)
@given(predictions())
def test_perfect_predictions(case: tuple[np.ndarray, np.ndarray]) -> None:
    """With certain and right predictions every figure is 1 and the calibration error 0."""
    truth, _ = case
    result = scores(ABC, truth, np.eye(3)[truth])
    assert result.accuracy == result.macro_f1 == result.unweighted_accuracy == 1
    assert result.weighted_f1 == pytest.approx(1)
    assert result.ece == 0


@pytest.mark.parametrize(
    ("truth", "probabilities", "problem"),
    [
        ([0], [[0.5, 0.5]], r"expected \(N,\) and \(N, 3\)"),
        ([0, 1], [[1, 0, 0]], r"expected \(N,\) and \(N, 3\)"),
        ([], np.zeros((0, 3)), "no example"),
        ([3], [[1, 0, 0]], "truth must lie between 0 and 2"),
        ([-1], [[1, 0, 0]], "truth must lie between 0 and 2"),
        ([0.0], [[1, 0, 0]], "truth must be label indices"),
        ([0], [[0.9, 0.9, 0]], "sum to 1"),
        ([0], [[1.5, -0.5, 0]], "sum to 1"),
        ([0], [[np.nan, 0.5, 0.5]], "sum to 1"),
    ],
)
def test_malformed(truth: list[int], probabilities: list[list[float]], problem: str) -> None:
    """Shapes that disagree and values out of range are refused."""
    with pytest.raises(ValueError, match=problem):
        scores(ABC, truth, probabilities)
