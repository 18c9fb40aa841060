"""Runs of one system, as JSON: means, deviations, intervals, confusion, reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from training.evaluation.bootstrap import LEAST_DIALOGUES, Difference, Intervals, interval
from training.evaluation.metrics import FIGURES, ClassScores, Scores
from training.evaluation.predictions import reliability
from training.evaluation.report import to_json
from training.evaluation.scoring import Extra, Scored
from training.evaluation.selective import Selective, selective, selective_json
from training.evaluation.training_record import TrainingRecord


@dataclass(frozen=True, eq=False)
class Run:
    """One bundle on the examples."""

    bundle: str
    """Its folder, as it was given."""
    sha256: str
    """Its identity."""
    training: TrainingRecord | None
    scored: Scored


@dataclass(frozen=True, eq=False)
class Summary:
    """All runs of a system on the same examples."""

    runs: tuple[Run, ...]
    """One for each bundle, that is for each seed."""
    mean: Scores
    """Each figure is the mean over runs; the confusion is their sum."""
    deviation: Mapping[str, float] | None
    """Sample standard deviation of `FIGURES` and of shares in `extra`; None for one run."""
    intervals: Intervals | None
    """Of the mean, over dialogues; None for fewer than `LEAST_DIALOGUES`."""
    extra: Extra
    """Means over runs of what `Scored.extra` has."""
    by_gender: Mapping[str, Scores] = field(default_factory=dict)
    """Means over runs, where the corpus says who is a woman and who a man."""

    @property
    def selective(self) -> Selective:
        """Risk by coverage, the mean over runs."""
        return selective([run.scored.predictions for run in self.runs])


def summarise(runs: Sequence[Run]) -> Summary:
    """Bring runs of a system together.

    Raises:
        ValueError: They are not on the same examples.
    """
    predictions = [run.scored.predictions for run in runs]
    scores = [one.scores() for one in predictions]
    shares = _shares_of_all([run.scored.extra for run in runs])
    several = len(runs) > 1
    enough = predictions[0].dialogue_count >= LEAST_DIALOGUES
    return Summary(
        runs=tuple(runs),
        mean=mean_scores(scores),
        deviation=deviation(scores) | _deviations(shares) if several else None,
        intervals=interval(predictions) if enough else None,
        extra=_mean_extra(runs[0].scored.extra, shares),
        by_gender=_by_gender(runs),
    )


def _by_gender(runs: Sequence[Run]) -> dict[str, Scores]:
    found = [run.scored.by_gender() for run in runs]
    return {gender: mean_scores([one[gender] for one in found]) for gender in found[0]}


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """The mean of every figure over runs on the same examples; confusions are added."""
    first = scores[0]
    classes = {}
    for label in first.labels:
        own = [one.per_class[label] for one in scores]
        precision, recall, f1 = (
            float(np.mean([getattr(one, name) for one in own]))
            for name in ("precision", "recall", "f1")
        )
        classes[label] = ClassScores(precision, recall, f1, own[0].support)
    return Scores(
        labels=first.labels,
        n=first.n,
        **{name: float(np.mean([getattr(one, name) for one in scores])) for name in FIGURES},
        per_class=classes,
        confusion=np.sum([one.confusion for one in scores], axis=0),
    )


def deviation(scores: Sequence[Scores]) -> dict[str, float]:
    """Sample standard deviation of `FIGURES` over two or more runs."""
    return _deviations({name: [getattr(one, name) for one in scores] for name in FIGURES})


def _deviations(figures: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: float(np.std(values, ddof=1)) for name, values in figures.items()}


def summary_json(summary: Summary) -> dict[str, Any]:
    """A summary as JSON-safe values."""
    predictions = [run.scored.predictions for run in summary.runs]
    return {
        **to_json(summary.mean, summary.extra),
        "dialogues": predictions[0].dialogue_count,
        "modalities": dict(summary.runs[0].scored.modalities),
        "labels": list(summary.mean.labels),
        "deviation": dict(summary.deviation) if summary.deviation else None,
        "intervals": _intervals_json(summary.intervals) if summary.intervals else None,
        "confusion": summary.mean.confusion.tolist(),
        "reliability": [asdict(one) for one in reliability(predictions)],
        "risk_coverage": selective_json(summary.selective),
        "by_gender": {name: to_json(one) for name, one in summary.by_gender.items()},
        "runs": [_run_json(run) for run in summary.runs],
    }


def difference_json(differences: Mapping[str, Difference]) -> dict[str, Any]:
    """What `paired_bootstrap` gives as JSON-safe values."""
    return {name: asdict(one) for name, one in differences.items()}


def _run_json(run: Run) -> dict[str, Any]:
    scores = run.scored.predictions.scores()
    return {
        "bundle": run.bundle,
        "sha256": run.sha256,
        **{name: getattr(scores, name) for name in FIGURES},
        **_shares(run.scored.extra),
        "training": asdict(run.training) if run.training else None,
    }


def _intervals_json(intervals: Intervals) -> dict[str, Any]:
    f1 = {
        label: None if one is None else [one.low, one.high] for label, one in intervals.f1.items()
    }
    return {name: [one.low, one.high] for name, one in intervals.figures.items()} | {"f1": f1}


def _mean_extra(first: Extra, shares: Mapping[str, Sequence[float]]) -> Extra:
    """Counts are the same in all runs; shares are averaged, where all runs have them."""
    return {
        name: float(np.mean(shares[name])) if name in shares else value
        for name, value in first.items()
        if name in shares or not isinstance(value, float)
    }


def _shares_of_all(extras: Sequence[Extra]) -> dict[str, list[float]]:
    found = [_shares(extra) for extra in extras]
    common = [name for name in found[0] if all(name in one for one in found)]
    return {name: [one[name] for one in found] for name in common}


def _shares(extra: Extra) -> dict[str, float]:
    return {name: value for name, value in extra.items() if isinstance(value, float)}
