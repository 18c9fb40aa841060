"""How far figures would move on other dialogues: the bootstrap over dialogues.

The utterances of a dialogue depend on each other, so whole dialogues are drawn, with
replacement (the cluster bootstrap; Efron and Tibshirani, 1993). Every figure is a
function of confusion matrices and sums per bin of confidence, which add up over dialogues:
a resample is a weighted sum of those of the dialogues, and thousands cost milliseconds.

A system may have several runs, one for each seed of its training: then the figure is the
mean over runs, each on the same resampled dialogues. The intervals speak of other
dialogues, not of other seeds; the deviation over runs speaks of those.

Letters: R resamples, D dialogues, C labels, B bins of confidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluation.metrics import FIGURES, Floats, Integers, class_figures, overall_figures
from training.evaluation.predictions import Predictions

RESAMPLES = 2000
LEVEL = 0.95
"""Share of the resamples that an interval holds."""
_BLOCK = 1_000_000
"""Weights that are in memory at once."""

_Drawn = dict[str, Floats]


@dataclass(frozen=True)
class Interval:
    """A percentile interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Intervals:
    """Of every figure."""

    figures: Mapping[str, Interval]
    """By name, of `training.evaluation.metrics.FIGURES`."""
    f1: Mapping[str, Interval | None]
    """F1 by label; None for a label that is neither true nor predicted anywhere."""


@dataclass(frozen=True)
class Difference:
    """The first system's figure minus the second's."""

    value: float
    """On all dialogues."""
    low: float
    """Lower end of its interval."""
    high: float
    """Upper end of its interval."""
    p_value: float
    """Two-sided, of no difference; below 0.05 just where the 95 % interval excludes 0."""


LEAST_DIALOGUES = 30
"""Below this, resampled dialogues say nothing of others: an interval would only look like one."""


def interval(
    runs: Sequence[Predictions],
    *,
    resamples: int = RESAMPLES,
    seed: int = 1,
    level: float = LEVEL,
) -> Intervals:
    """Percentile intervals of the figures of a system.

    Args:
        runs: Of one system on the same examples, one for each seed of its training.
        resamples: How many.
        seed: Of the draws.
        level: Share of the resamples inside.

    Raises:
        ValueError: There are fewer than two dialogues, or the runs are not on the same examples.
    """
    drawn = _figures(runs, _weights(runs, resamples, seed))
    f1 = drawn.pop("f1")
    return Intervals(
        {name: _percentiles(values, level) for name, values in drawn.items()},
        {
            label: _percentiles(known, level) if len(known) else None
            for label, values in zip(runs[0].labels, f1.T, strict=True)
            for known in [values[~np.isnan(values)]]
        },
    )


def paired_bootstrap(
    first: Sequence[Predictions],
    second: Sequence[Predictions],
    *,
    resamples: int = RESAMPLES,
    seed: int = 1,
    level: float = LEVEL,
) -> dict[str, Difference]:
    """Whether one system is better than another, both on the same resampled dialogues.

    The p-value is the smallest level at which the percentile interval of the difference
    excludes 0: twice the share of the resamples on the other side of it, with the
    observed data counted as one, so it is never 0 (Davison and Hinkley, 1997).

    Args:
        first: Runs of a system on some examples, one for each seed of its training.
        second: Runs of another system on the same examples; their number may differ.
        resamples: How many.
        seed: Of the draws.
        level: Share of the resamples inside the interval.

    Returns:
        By name, of `training.evaluation.metrics.FIGURES`.

    Raises:
        ValueError: There are fewer than two dialogues, or the runs are not on the same examples.
    """
    weights = list(_weights([*first, *second], resamples, seed))
    drawn = (_figures(first, weights), _figures(second, weights))
    observed = (mean_figures(first), mean_figures(second))
    differences = {}
    for name in FIGURES:
        moved = drawn[0][name] - drawn[1][name]
        ends = _percentiles(moved, level)
        beyond = min(int((moved <= 0).sum()), int((moved >= 0).sum()))
        p_value = min(1.0, 2 * (beyond + 1) / (resamples + 1))
        value = observed[0][name] - observed[1][name]
        differences[name] = Difference(value, ends.low, ends.high, p_value)
    return differences


def mean_figures(runs: Sequence[Predictions]) -> dict[str, float]:
    """`FIGURES` on all dialogues, the mean over runs."""
    scored = [run.scores() for run in runs]
    return {name: float(np.mean([getattr(one, name) for one in scored])) for name in FIGURES}


def _weights(runs: Sequence[Predictions], resamples: int, seed: int) -> Iterator[Integers]:
    """How often each dialogue is drawn in each resample: blocks of (R, D)."""
    _check(runs)
    count = runs[0].dialogue_count
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // count)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        draws = rng.integers(count, size=(rows, count)) + count * np.arange(rows)[:, None]
        yield np.bincount(draws.ravel(), minlength=rows * count).reshape(rows, count)


def _figures(runs: Sequence[Predictions], weights: Iterator[Integers] | list[Integers]) -> _Drawn:
    """Figures of every resample, the mean over runs: (R,), and under `f1` (R, C)."""
    counted = [(run.confusions(), run.calibration_gaps()) for run in runs]
    parts: list[_Drawn] = []
    for block in weights:
        each = [_resampled(block, confusions, gaps) for confusions, gaps in counted]
        parts.append({name: _mean([one[name] for one in each]) for name in each[0]})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _resampled(weights: Integers, confusions: Integers, gaps: Floats) -> _Drawn:
    # In float64, whose product is fast and, up to 2^53, exact; NumPy multiplies integers slowly.
    factors = weights.astype(np.float64)
    flat = factors @ confusions.reshape(len(confusions), -1)
    confusion = flat.astype(np.int64).reshape(-1, *confusions.shape[1:])
    f1 = class_figures(confusion)[2]
    occurs = confusion.sum(axis=-1) + confusion.sum(axis=-2) > 0
    return {**overall_figures(confusion, factors @ gaps), "f1": np.where(occurs, f1, np.nan)}


def _mean(values: Sequence[Floats]) -> Floats:
    """Mean over runs; NaN where a run has no value."""
    mean: Floats = np.mean(values, axis=0)
    return mean


def _percentiles(values: Floats, level: float) -> Interval:
    """Ends are resamples themselves, not points between two: p-values then agree with them."""
    tail = 50 * (1 - level)
    low = np.percentile(values, tail, method="lower")
    high = np.percentile(values, 100 - tail, method="higher")
    return Interval(float(low), float(high))


def _check(runs: Sequence[Predictions]) -> None:
    if not runs:
        raise ValueError("there is no run")
    first = runs[0]
    for run in runs:
        same = np.array_equal(run.truth, first.truth) and run.labels == first.labels
        if not (same and np.array_equal(run.dialogues, first.dialogues)):
            raise ValueError("the runs are not on the same examples")
    if first.dialogue_count < 2:
        raise ValueError("a bootstrap over dialogues needs two dialogues or more")
