"""What abstaining buys: the risk of what is answered, by how much is answered.

Turns are answered in order of confidence, the surest first. Coverage is the share answered,
risk the share of the answers that are wrong (El-Yaniv and Wiener, 2010; the area under the
curve, AURC: Geifman et al., 2019, arXiv 1805.08206).

Letters: N examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.evaluation.metrics import Floats, Integers
from training.evaluation.predictions import Predictions

COVERAGES = (0.8, 0.9, 1.0)
"""At which accuracy is reported."""
CURVE_POINTS = 101
"""Of a curve in JSON."""


@dataclass(frozen=True)
class Selective:
    """Figures of a curve, means over runs."""

    aurc: float
    """Area under the risk-coverage curve; less is better."""
    accuracy_at: tuple[tuple[float, float], ...]
    """Coverage, and accuracy of what is answered there."""
    curve: tuple[tuple[float, float], ...]
    """Coverage and risk at evenly spaced coverages."""


def risks(confidence: Floats, hits: Integers) -> Floats:
    """Risk of the 1, 2, ..., N surest: (N,), (N,) -> (N,).

    Equal confidences are answered in no order: each stands for their mean.
    """
    values, which = np.unique(-np.asarray(confidence, np.float64), return_inverse=True)
    count = np.bincount(which, minlength=len(values))
    wrong = np.bincount(which, 1.0 - np.asarray(hits, np.float64), len(values))
    each: Floats = np.repeat(wrong / count, count)
    total: Floats = np.cumsum(each) / np.arange(1, len(each) + 1)
    return total


def accuracy_at(confidence: Floats, hits: Integers, coverage: float) -> float:
    """Accuracy of the surest share of the turns, of one at least."""
    found = risks(confidence, hits)
    return float(1.0 - found[_answered(coverage, len(found)) - 1])


def selective(runs: Sequence[Predictions]) -> Selective:
    """The curve of each run, averaged; runs are of the same examples."""
    found = np.mean([risks(run.confidence, run.hits) for run in runs], axis=0)
    n = len(found)
    shares = np.linspace(0, 1, CURVE_POINTS)[1:]
    return Selective(
        aurc=float(found.mean()),
        accuracy_at=tuple((c, float(1 - found[_answered(c, n) - 1])) for c in COVERAGES),
        curve=tuple((float(c), float(found[_answered(c, n) - 1])) for c in shares),
    )


def selective_json(figures: Selective) -> dict[str, Any]:
    """As JSON-safe values, accuracies by coverage."""
    return {
        **asdict(figures),
        "accuracy_at": {f"{coverage:g}": share for coverage, share in figures.accuracy_at},
    }


def _answered(coverage: float, n: int) -> int:
    return min(n, max(1, int(np.ceil(round(coverage * n, 9)))))
