"""Variants beside `full`: means over seeds, paired differences, and Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.ablation.outcome import STAGES, Outcome
from training.ablation.variants import FULL
from training.evaluation.bootstrap import Difference, mean_figures, paired_bootstrap
from training.evaluation.summary import deviation
from training.learning.cost import StageCost

FIGURES = ("accuracy", "weighted_f1", "macro_f1")
"""That are compared, of `training.evaluation.metrics.FIGURES`."""
MAIN = "weighted_f1"
"""That answers are given on."""


@dataclass(frozen=True)
class Compared:
    """A variant minus `full`, on one figure."""

    difference: Difference
    """Mean over seeds, each pair trained with the same seed; over resampled dialogues."""
    corrected_p: float
    """p-value corrected for all variants of the table (Holm, 1979)."""
    by_seed: tuple[float, ...]
    """The difference of each pair."""


@dataclass(frozen=True)
class Row:
    """One variant."""

    name: str
    figures: Mapping[str, float]
    """`FIGURES`, the mean over seeds."""
    deviations: Mapping[str, float] | None
    """Sample standard deviation over seeds; None for one."""
    compared: Mapping[str, Compared]
    """By figure; empty for `full`."""
    costs: Mapping[str, StageCost]
    """By stage: means over seeds, of memory the most."""


def compare(outcomes: Mapping[str, Sequence[Outcome]], resamples: int, seed: int = 1) -> list[Row]:
    """Compare every variant with `full`.

    Args:
        outcomes: By variant; the same seeds in the same order for each, and `full` among them.
        resamples: Of the dialogues.
        seed: Of the resamples.

    Raises:
        ValueError: There are fewer than two dialogues, or predictions of different examples.
    """
    runs = {name: [one.predictions for one in found] for name, found in outcomes.items()}
    others = [name for name in runs if name != FULL]
    differences = {
        name: paired_bootstrap(runs[name], runs[FULL], resamples=resamples, seed=seed)
        for name in others
    }
    corrected = {
        figure: holm({name: differences[name][figure].p_value for name in others})
        for figure in FIGURES
    }
    by_seed = {name: [mean_figures([one]) for one in found] for name, found in runs.items()}
    rows = []
    for name, found in runs.items():
        mean, scored = mean_figures(found), [one.scores() for one in found]
        spread = deviation(scored) if len(found) > 1 else None
        compared = {
            figure: Compared(
                differences[name][figure],
                corrected[figure][name],
                tuple(
                    one[figure] - full[figure]
                    for one, full in zip(by_seed[name], by_seed[FULL], strict=True)
                ),
            )
            for figure in FIGURES
            if name != FULL
        }
        rows.append(
            Row(
                name,
                {figure: mean[figure] for figure in FIGURES},
                {figure: spread[figure] for figure in FIGURES} if spread else None,
                compared,
                mean_costs(outcomes[name]),
            )
        )
    return rows


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Correct p-values for how many there are (Holm, 1979): below 0.05 stays an error rate.

    The smallest is multiplied by their number, the next by one less, and so on; none becomes
    smaller than one before it, or larger than 1.
    """
    corrected: dict[str, float] = {}
    least = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda one: p_values[one])):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[name]))
        corrected[name] = least
    return corrected


def mean_costs(outcomes: Sequence[Outcome]) -> dict[str, StageCost]:
    """What a training cost on average, by stage."""
    costs = {}
    for stage in STAGES:
        own = [one.costs[stage] for one in outcomes if stage in one.costs]
        if own:
            costs[stage] = StageCost(
                name=stage,
                seconds=float(np.mean([cost.seconds for cost in own])),
                tokens=round(np.mean([cost.tokens for cost in own])),
                padded_tokens=round(np.mean([cost.padded_tokens for cost in own])),
                updates=round(np.mean([cost.updates for cost in own])),
                flops=float(np.mean([cost.flops for cost in own])),
                peak_memory_bytes=max(cost.peak_memory_bytes for cost in own),
            )
    return costs
