"""Learning rates of the groups of parameters, over the time that each is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

WARM_UP = 0.05
"""Share of its time in which a learning rate rises."""


@dataclass(frozen=True)
class Group:
    """Parameters that are trained alike."""

    parameters: list[nn.Parameter]
    peak: float
    """Largest learning rate."""
    begin: float = 0.0
    """Share of the whole training after which the group is trained."""
    weight_decay: float = 0.0


def make_optimizer(groups: Sequence[Group]) -> torch.optim.Optimizer:
    """AdamW over groups; those without parameters are left out."""
    return torch.optim.AdamW(
        [
            {
                "params": group.parameters,
                "peak": group.peak,
                "begin": group.begin,
                "weight_decay": group.weight_decay,
            }
            for group in groups
            if group.parameters
        ],
        lr=0.0,
    )


def set_learning_rates(optimizer: torch.optim.Optimizer, done: float) -> None:
    """Each group rises over the first part of its own time, then falls to zero linearly."""
    for group in optimizer.param_groups:
        own = max(0.0, (done - group["begin"]) / max(1e-9, 1 - group["begin"]))
        group["lr"] = group["peak"] * min(own / WARM_UP, (1 - own) / (1 - WARM_UP))
