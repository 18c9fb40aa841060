"""What a model card tells beside its dev sets, each part measured by a command of its own."""

from __future__ import annotations

from dataclasses import dataclass

from training.cards.dev_sets import Measured
from training.cards.seeds import SeedFigures
from training.latency import StageLatency


@dataclass(frozen=True)
class Inputs:
    """Empty where it was not measured."""

    noise: tuple[Measured, ...] = ()
    """MELD dev by word error rate, as `dev_sets.NOISE`."""
    seeds: tuple[SeedFigures, ...] = ()
    """One for each data set."""
    latency: tuple[StageLatency, ...] = ()
