"""The figures a recogniser is judged by.

Letters: N examples, C labels, B bins of confidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

CALIBRATION_BINS = 15
"""Equal-width bins of confidence for the expected calibration error (Guo et al., 2017)."""

FIGURES = ("accuracy", "weighted_f1", "macro_f1", "unweighted_accuracy", "ece")
"""Over all labels: attributes of `Scores`."""

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
    expected, given = checked(labels, truth, probabilities)
    predicted = given.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (expected, predicted), 1)
    gap = calibration_gap(predicted == expected, given.max(axis=1))
    overall = overall_figures(confusion, gap)
    precision, recall, f1 = class_figures(confusion)
    support = confusion.sum(axis=1)
    return Scores(
        labels=tuple(labels),
        n=len(expected),
        **{name: float(overall[name]) for name in FIGURES},
        per_class={
            label: ClassScores(float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
            for i, label in enumerate(labels)
        },
        confusion=confusion,
    )


def overall_figures(confusion: Integers, gap: Floats) -> dict[str, Floats]:
    """`FIGURES` from counts, for one set of examples or for many at once.

    Args:
        confusion: (..., C, C) counts, rows are truth; at least one example in each set.
        gap: (..., B) as `calibration_gap` gives it.

    Returns:
        (...) for each name of `FIGURES`.
    """
    _, recall, f1 = class_figures(confusion)
    support, predictions = confusion.sum(axis=-1), confusion.sum(axis=-2)
    n = support.sum(axis=-1)
    hits = confusion.diagonal(axis1=-2, axis2=-1)
    return {
        "accuracy": hits.sum(axis=-1) / n,
        "weighted_f1": (f1 * support).sum(axis=-1) / n,
        # The F1 of a label that does not occur is 0, so it adds nothing to the sums.
        "macro_f1": f1.sum(axis=-1) / (support + predictions > 0).sum(axis=-1),
        "unweighted_accuracy": recall.sum(axis=-1) / (support > 0).sum(axis=-1),
        "ece": np.abs(gap).sum(axis=-1) / n,
    }


def class_figures(confusion: Integers) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of each label, 0 where undefined: (..., C, C) -> (..., C) each."""
    hits = confusion.diagonal(axis1=-2, axis2=-1)
    support, predictions = confusion.sum(axis=-1), confusion.sum(axis=-2)
    return (
        _ratio(hits, predictions),
        _ratio(hits, support),
        _ratio(2 * hits, support + predictions),
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
    return float(np.abs(calibration_gap(correct, confidence, bins)).sum() / len(confidence))


def calibration_gap(
    correct: NDArray[np.bool_], confidence: Floats, bins: int = CALIBRATION_BINS
) -> Floats:
    """Sum of confidence minus hits in each bin: (N,), (N,) -> (B,)."""
    which = confidence_bin(confidence, bins)
    gap: Floats = np.bincount(which, confidence - correct, bins).astype(np.float64)
    return gap


def confidence_bin(confidence: Floats, bins: int = CALIBRATION_BINS) -> Integers:
    """Index of the bin (low, high] of each confidence, 0 in the first: (N,) -> (N,)."""
    which: Integers = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return which


def _ratio(numerator: Integers, denominator: Integers) -> Floats:
    """Elementwise quotient; 0 where it is undefined."""
    quotient: Floats = numerator / np.maximum(denominator, 1)
    return quotient


def checked(
    labels: Sequence[str], truth: ArrayLike, probabilities: ArrayLike
) -> tuple[Integers, Floats]:
    """Truth (N,) and probabilities (N, C) as arrays.

    Raises:
        ValueError: If the shapes disagree, N is 0 or a value is out of range.
    """
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
