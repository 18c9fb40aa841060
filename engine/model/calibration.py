"""What makes probabilities honest, and when to abstain, for each subset of modalities.

Temperature scaling (Guo et al., 2017, arXiv 1706.04599) and, where it helps, a bias for each
label (vector scaling without the scale, same paper), fitted on dev data. A recognition whose
confidence is below the threshold of its subset is an abstention (Geifman and El-Yaniv, 2017,
arXiv 1705.08500). Letters in shapes: n turns, E emotions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.model.spec import MODALITIES

BOUNDS = (0.05, 20.0)
"""Temperatures that `fit_temperature` considers."""
LARGEST = 1e6
"""Number that a calibration may have."""
LARGEST_BIAS = 20.0
"""Of a label, either way: more would make it certain or impossible."""
KEYS = ("temperatures", "biases", "abstain_below")
"""Of calibration.json; bundles made before there were the others have the first alone."""

SUBSETS = tuple("+".join(names) for size in (1, 2, 3) for names in combinations(MODALITIES, size))
"""Names of all subsets of modalities, such as `text+video`."""


@dataclass(frozen=True)
class Calibration:
    """From label scores to probabilities, by what the scores were made from.

    Keys of all three are names of modalities joined with `+`, as in `SUBSETS`.
    """

    temperatures: Mapping[str, float] = field(default_factory=dict)
    """Label scores are divided by it; 1 where there is none."""
    biases: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """(E,) added to the divided scores; 0 where there is none."""
    abstain_below: Mapping[str, float] = field(default_factory=dict)
    """Confidence below which the recogniser abstains; 0, which is never, where there is none."""

    def __post_init__(self) -> None:
        """Refuse numbers that are not finite or out of range."""
        for name, value in self.temperatures.items():
            if not (_is_number(value) and 0 < value):
                raise ValueError(
                    f"temperatures: that of {name!r} must be a positive number, not {value!r}"
                )
        for name, values in self.biases.items():
            listed = isinstance(values, (list, tuple))
            if not (listed and all(_is_number(v) and abs(v) <= LARGEST_BIAS for v in values)):
                raise ValueError(
                    f"biases: those of {name!r} must be numbers from {-LARGEST_BIAS:g} to "
                    f"{LARGEST_BIAS:g}, not {values!r}"
                )
        for name, value in self.abstain_below.items():
            if not (_is_number(value) and 0 <= value <= 1):
                raise ValueError(
                    f"abstain_below: that of {name!r} must be a number from 0 to 1, not {value!r}"
                )

    def require_labels(self, count: int) -> None:
        """Refuse biases of another number of labels.

        Raises:
            ValueError: There are some.
        """
        for name, values in self.biases.items():
            if len(values) != count:
                raise ValueError(
                    f"biases: {name!r} has {len(values)} but the spec has {count} labels"
                )

    def probabilities(self, scores: Tensor, used: Sequence[Sequence[str]]) -> Tensor:
        """(n, E) scores and the modalities of each turn -> (n, E) probabilities."""
        names = ["+".join(one) for one in used]
        none = (0.0,) * scores.shape[1]
        temperatures = torch.tensor([self.temperatures.get(name, 1.0) for name in names])
        biases = torch.tensor([self.biases.get(name, none) for name in names]).reshape(scores.shape)
        return (scores / temperatures[:, None] + biases).softmax(1)

    def abstains(self, confidence: float, used: Sequence[str]) -> bool:
        """Whether that is too little, given the modalities of a turn; without any it always is."""
        return not used or confidence < self.abstain_below.get("+".join(used), 0.0)

    def abstaining_below(self, threshold: float) -> Calibration:
        """The same with one threshold for every subset; with 0 it abstains from nothing."""
        return replace(self, abstain_below=dict.fromkeys(SUBSETS, threshold))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-safe values."""
        biases = {name: list(values) for name, values in self.biases.items()}
        return {
            "temperatures": dict(self.temperatures),
            "biases": biases,
            "abstain_below": dict(self.abstain_below),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Read what `to_dict` wrote, now or before there were biases and thresholds.

        Raises:
            ValueError: a key is unknown or missing, or a number out of range.
        """
        known = set(values) <= set(KEYS) and "temperatures" in values
        if not (known and all(isinstance(value, dict) for value in values.values())):
            raise ValueError(
                "calibration.json must hold the object temperatures, may hold the objects "
                "biases and abstain_below, and nothing else"
            )
        return cls(**values)


def _is_number(value: object) -> bool:
    """Compared, not converted: a whole number may be too large for a float; NaN is not less."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST


def fit_temperature(scores: Tensor, truth: Tensor) -> float:
    """The temperature in `BOUNDS` with the least cross-entropy of scores on the truth.

    Found on a grid that is refined around its best point: the cross-entropy has one
    minimum, and unlike a gradient method this cannot run away where it is flat.

    Args:
        scores: (n, E).
        truth: (n,) label indices.
    """
    lowest, highest = low, high = math.log(BOUNDS[0]), math.log(BOUNDS[1])
    for _ in range(5):
        grid = torch.linspace(low, high, 21).tolist()
        losses = [float(functional.cross_entropy(scores / math.exp(t), truth)) for t in grid]
        best = grid[int(np.argmin(losses))]
        step = (high - low) / 20
        low, high = max(lowest, best - step), min(highest, best + step)
    return math.exp(best)
