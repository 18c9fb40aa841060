"""Numbers of one subset's calibration, fitted on label scores; and figures by cross-fitting.

Letters in shapes: n turns, E emotions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.model.calibration import LARGEST_BIAS, fit_temperature

BIAS_EXAMPLES = 200
"""Turns in each fold below which no bias is fitted."""
BIAS_DEVIATION = 1.0
"""Of the normal prior of a label's bias, in nats: the L2 term."""
COVERAGE = 0.8
"""Share of a dev set that is answered: the threshold is the confidence at it."""

Labelled = tuple[Tensor, Tensor]
"""(n, E) label scores and (n,) label indices."""


@dataclass(frozen=True)
class Fit:
    """What was fitted."""

    temperature: float
    bias: tuple[float, ...] | None = None
    """(E,); None where there is none."""

    def __call__(self, scores: Tensor) -> Tensor:
        """(n, E) scores -> (n, E) probabilities, as `Calibration.probabilities` has them."""
        bias = torch.zeros(scores.shape[1]) if self.bias is None else torch.tensor(self.bias)
        return (scores / self.temperature + bias).softmax(1)


@dataclass(frozen=True, eq=False)
class Held:
    """Turns as they were recognised with numbers that were fitted without them."""

    probabilities: Tensor
    """(n, E)."""
    truth: Tensor
    """(n,) label indices."""

    @property
    def nll(self) -> float:
        """Mean negative log-likelihood of the truth, in nats."""
        return negative_log_likelihood(self.probabilities, self.truth)

    @property
    def confidence(self) -> np.ndarray:
        """(n,) probability of the prediction."""
        return self.probabilities.max(1).values.double().numpy()


def negative_log_likelihood(probabilities: Tensor, truth: Tensor) -> float:
    """Mean over turns, in nats: (n, E), (n,)."""
    return float(functional.nll_loss(probabilities.clamp_min(1e-12).log(), truth))


def fit(labelled: Labelled, *, bias: bool) -> Fit:
    """Temperature alone, or with a bias of every label, of the least penalised cross-entropy."""
    scores, truth = labelled
    temperature = fit_temperature(scores, truth)
    if not bias:
        return Fit(round(temperature, 4))
    log_temperature = torch.tensor(temperature, dtype=torch.double).log().requires_grad_()
    biases = torch.zeros(scores.shape[1], dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [log_temperature, biases], max_iter=100, line_search_fn="strong_wolfe"
    )
    weight = 1 / (2 * BIAS_DEVIATION**2 * len(truth))

    def closure() -> Tensor:
        optimizer.zero_grad()
        divided = scores.double() / log_temperature.exp() + biases
        loss = functional.cross_entropy(divided, truth) + weight * biases.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    found = log_temperature.detach().exp(), biases.detach().clamp(-LARGEST_BIAS, LARGEST_BIAS)
    if not all(bool(torch.isfinite(one).all()) for one in found):
        return Fit(round(temperature, 4))
    return Fit(round(float(found[0]), 4), tuple(round(one, 4) for one in found[1].tolist()))


def cross_fit(folds: Sequence[Labelled], *, bias: bool) -> Held:
    """Both folds, each with what was fitted on the other."""
    held = [(fit(folds[1 - one], bias=bias)(folds[one][0]), folds[one][1]) for one in range(2)]
    return Held(torch.cat([rows for rows, _ in held]), torch.cat([truth for _, truth in held]))


def choose(folds: Sequence[Labelled]) -> tuple[bool, Held]:
    """Whether a bias lowers the cross-fitted cross-entropy; and the turns as held out that way."""
    plain = cross_fit(folds, bias=False)
    if min(len(truth) for _, truth in folds) < BIAS_EXAMPLES:
        return False, plain
    biased = cross_fit(folds, bias=True)
    return (True, biased) if biased.nll < plain.nll else (False, plain)


def confidence_at(confidence: np.ndarray, coverage: float = COVERAGE) -> float:
    """The threshold that answers at least this share of the turns: (n,) -> a confidence."""
    descending = np.sort(confidence)[::-1]
    return float(descending[max(0, int(np.ceil(round(coverage * len(descending), 9))) - 1)])
