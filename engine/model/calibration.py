"""Temperatures that make probabilities honest, one for each subset of modalities.

Temperature scaling (Guo et al., 2017, arXiv 1706.04599), fitted on dev data.
Letters in shapes: n turns, E emotions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

BOUNDS = (0.05, 20.0)
"""Temperatures that `fit_temperature` considers."""


@dataclass(frozen=True)
class Calibration:
    """Label scores are divided by the temperature of what they were made from."""

    temperatures: Mapping[str, float] = field(default_factory=dict)
    """By names of modalities joined with `+`, such as `text+video`; 1 where there is none."""

    def __post_init__(self) -> None:
        """Refuse temperatures that are not positive."""
        for name, value in self.temperatures.items():
            if not (isinstance(value, (int, float)) and 0 < value < float("inf")):
                raise ValueError(
                    f"temperature of {name!r} must be a positive number, not {value!r}"
                )

    def probabilities(self, scores: Tensor, used: Sequence[Sequence[str]]) -> Tensor:
        """(n, E) scores and the modalities of each turn -> (n, E) probabilities."""
        temperatures = [self.temperatures.get("+".join(names), 1.0) for names in used]
        return (scores / torch.tensor(temperatures)[:, None]).softmax(1)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-safe values."""
        return {"temperatures": dict(self.temperatures)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: a key is unknown or a temperature is not positive.
        """
        if set(values) != {"temperatures"} or not isinstance(values["temperatures"], dict):
            raise ValueError("calibration.json must hold one object, temperatures")
        return cls(values["temperatures"])


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
