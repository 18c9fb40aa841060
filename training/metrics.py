"""The figures a recogniser is judged by.

Letters: N examples, C labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

CALIBRATION_BINS = 15
"""Equal-width bins of confidence for the expected calibration error (Guo et al., 2017)."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ClassScores:
    """How one label is recognised; 0 where a figure is undefined."""

    precision: float
    """Share of the predictions of this label that are right."""
    recall: float
    """Share of the examples of this label that are found."""
    f1: float
    """Harmonic mean of the two."""
    support: int
    """Examples with this label."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Every figure is a fraction from 0 to 1."""

    labels: tuple[str, ...]
    """Names of the C labels."""
    n: int
    """Examples scored."""
    accuracy: float
    """Share of right predictions."""
    weighted_f1: float
    """Mean F1, each label weighted by its support: the usual figure on MELD."""
    macro_f1: float
    """Mean F1 over the labels that occur in truth or prediction, as scikit-learn has it."""
    unweighted_accuracy: float
    """Mean recall over the labels that occur in truth: the usual figure for speech emotion."""
    per_class: Mapping[str, ClassScores]
    """By label, in the order of `labels`."""
    ece: float
    """Expected calibration error of the winner's probability."""
    confusion: Integers
    """(C, C) counts: rows are truth, columns predictions."""


def scores(labels: Sequence[str], truth: ArrayLike, probabilities: ArrayLike) -> Scores:
    """Score predictions; the prediction is the most probable label, the first one of equals.

    Args:
        labels: Names of the C labels.
        truth: (N,) index of the right label of each example.
        probabilities: (N, C) each row sums to 1.

    Raises:
        ValueError: If the shapes disagree, N is 0 or a value is out of range.
    """
    expected, given = _checked(labels, truth, probabilities)
    predicted = given.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (expected, predicted), 1)
    hits = confusion.diagonal()
    support, predictions = confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = _ratio(hits, predictions), _ratio(hits, support)
    f1 = _ratio(2 * hits, support + predictions)
    return Scores(
        labels=tuple(labels),
        n=len(expected),
        accuracy=float(hits.sum() / len(expected)),
        weighted_f1=float((f1 * support).sum() / len(expected)),
        macro_f1=float(f1[support + predictions > 0].mean()),
        unweighted_accuracy=float(recall[support > 0].mean()),
        per_class={
            label: ClassScores(float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
            for i, label in enumerate(labels)
        },
        ece=expected_calibration_error(predicted == expected, given.max(axis=1)),
        confusion=confusion,
    )


def expected_calibration_error(
    correct: NDArray[np.bool_], confidence: Floats, bins: int = CALIBRATION_BINS
) -> float:
    """Mean gap between confidence and accuracy over bins (low, high], weighted by their size.

    Args:
        correct: (N,) whether the prediction is right.
        confidence: (N,) its probability.
        bins: How many of equal width.
    """
    which = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gap = np.bincount(which, weights=confidence - correct, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def _ratio(numerator: Integers, denominator: Integers) -> Floats:
    """Elementwise quotient; 0 where it is undefined."""
    quotient: Floats = numerator / np.maximum(denominator, 1)
    return quotient


def _checked(
    labels: Sequence[str], truth: ArrayLike, probabilities: ArrayLike
) -> tuple[Integers, Floats]:
    expected, given = np.asarray(truth), np.asarray(probabilities, np.float64)
    if expected.ndim != 1 or given.shape != (len(expected), len(labels)):
        raise ValueError(
            f"truth has shape {expected.shape} and probabilities {given.shape}; "
            f"expected (N,) and (N, {len(labels)})"
        )
    if len(expected) == 0:
        raise ValueError("there is no example to score")
    if not np.issubdtype(expected.dtype, np.integer):
        raise ValueError(f"truth must be label indices, not {expected.dtype}")
    if expected.min() < 0 or expected.max() >= len(labels):
        raise ValueError(f"truth must lie between 0 and {len(labels) - 1}")
    # float16 and bfloat16 softmaxes sum to 1 only within about 1e-2.
    if not (given.min() >= 0 and np.allclose(given.sum(axis=1), 1, atol=1e-2)):
        raise ValueError("each row of probabilities must be finite, not negative and sum to 1")
    return expected.astype(np.int64), given
