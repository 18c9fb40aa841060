"""What a system said about the examples of a corpus, and which dialogue each is of.

Letters: N examples, C labels, D dialogues, B bins of confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import (
    CALIBRATION_BINS,
    Floats,
    Integers,
    Scores,
    checked,
    confidence_bin,
    scores,
)


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of one system for every example that has a truth."""

    labels: tuple[str, ...]
    """Names of the C labels."""
    truth: Integers
    """(N,) label index of each example."""
    probabilities: Floats
    """(N, C), rows sum to 1."""
    dialogues: Integers
    """(N,) a number for each example, the same for those of one dialogue."""
    _index: Integers = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse shapes that disagree and values out of range; number the dialogues from 0."""
        truth, probabilities = checked(self.labels, self.truth, self.probabilities)
        if np.shape(self.dialogues) != truth.shape:
            raise ValueError(
                f"dialogues has shape {np.shape(self.dialogues)}, expected {truth.shape}"
            )
        object.__setattr__(self, "truth", truth)
        object.__setattr__(self, "probabilities", probabilities)
        object.__setattr__(self, "_index", np.unique(self.dialogues, return_inverse=True)[1])

    @property
    def dialogue_count(self) -> int:
        """D, the dialogues with a scored example."""
        return int(self._index.max()) + 1

    def only(self, rows: NDArray[np.bool_]) -> Predictions:
        """Some of the examples: (N,)."""
        return Predictions(
            self.labels, self.truth[rows], self.probabilities[rows], self.dialogues[rows]
        )

    def scores(self) -> Scores:
        """All figures."""
        return scores(self.labels, self.truth, self.probabilities)

    def confusions(self) -> Integers:
        """Confusion of each dialogue: (D, C, C) counts, rows are truth."""
        classes = len(self.labels)
        confusion = np.zeros((self.dialogue_count, classes, classes), np.int64)
        np.add.at(confusion, (self._index, self.truth, self._predicted), 1)
        return confusion

    def calibration_gaps(self) -> Floats:
        """Sum of confidence minus hits in each bin, of each dialogue: (D, B)."""
        gap = np.zeros((self.dialogue_count, CALIBRATION_BINS))
        np.add.at(gap, (self._index, confidence_bin(self.confidence)), self.confidence - self.hits)
        return gap

    @property
    def confidence(self) -> Floats:
        """(N,) probability of the prediction."""
        highest: Floats = self.probabilities.max(axis=1)
        return highest

    @property
    def hits(self) -> Integers:
        """(N,) 1 where the prediction is right, else 0."""
        return np.equal(self._predicted, self.truth).astype(np.int64)

    @property
    def _predicted(self) -> Integers:
        predicted: Integers = self.probabilities.argmax(axis=1)
        return predicted


@dataclass(frozen=True)
class ReliabilityBin:
    """The examples whose prediction has a confidence in (low, high]."""

    low: float
    high: float
    n: int
    """How many there are."""
    confidence: float | None
    """Their mean confidence; None without any."""
    accuracy: float | None
    """Share of them that is right; None without any."""


def reliability(runs: Sequence[Predictions]) -> tuple[ReliabilityBin, ...]:
    """Accuracy by confidence, all runs together."""
    confidence = np.concatenate([run.confidence for run in runs])
    hits = np.concatenate([run.hits for run in runs])
    which = confidence_bin(confidence)
    return tuple(
        _bin(index, confidence[which == index], hits[which == index])
        for index in range(CALIBRATION_BINS)
    )


def _bin(index: int, confidence: Floats, hits: Integers) -> ReliabilityBin:
    known = len(hits) > 0
    return ReliabilityBin(
        low=index / CALIBRATION_BINS,
        high=(index + 1) / CALIBRATION_BINS,
        n=len(hits),
        confidence=float(confidence.mean()) if known else None,
        accuracy=float(hits.mean()) if known else None,
    )
