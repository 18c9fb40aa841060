"""Scores for a person, as a table, and for a program, as one JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from training.evaluation.bootstrap import Difference, Interval, Intervals
from training.evaluation.metrics import Scores
from training.evaluation.selective import Selective

HEADLINES = {
    "accuracy": "accuracy",
    "weighted_f1": "weighted F1",
    "macro_f1": "macro F1",
    "unweighted_accuracy": "unweighted accuracy",
    "ece": "calibration error (ECE)",
}
"""Figures over all labels: key in the JSON object, and wording in the table."""


def to_json(
    scores: Scores, extra: Mapping[str, float | int | str] | None = None
) -> dict[str, object]:
    """The scores as one JSON-safe object of fractions from 0 to 1.

    Args:
        scores: What to report.
        extra: More entries, such as `ferplus_accuracy`.

    Raises:
        ValueError: If an extra entry has the name of a figure.
    """
    result: dict[str, object] = {
        "n": scores.n,
        **{key: getattr(scores, key) for key in HEADLINES},
        "per_class": {label: asdict(figures) for label, figures in scores.per_class.items()},
    }
    taken = sorted(result.keys() & (extra or {}).keys())
    if taken:
        raise ValueError(f"extra figures must not replace {', '.join(taken)}")
    return {**result, **(extra or {})}


def print_table(
    scores: Scores,
    console: Console,
    extra: Mapping[str, float | int | str] | None = None,
    intervals: Intervals | None = None,
    deviation: Mapping[str, float] | None = None,
) -> None:
    """Print the figures per label, then those over all, in percent.

    Args:
        scores: What to print.
        console: Where.
        extra: More entries.
        intervals: Of the figures, where they are known.
        deviation: Of the figures, and of shares among the entries, over several runs.
    """
    console.print(_class_table(scores, intervals))
    console.print(_headline_table(scores, extra or {}, intervals, deviation))


def print_coverage(modalities: Mapping[str, int], turns: int, console: Console) -> None:
    """Print how many of the turns had words, a voice, pictures."""
    named = {"text": "words", "audio": "voice", "video": "pictures"}
    counts = ", ".join(f"{named[name]} {count:,}" for name, count in modalities.items())
    console.print(f"{counts} of {turns:,} turns", highlight=False)


def print_comparison(
    first: Scores, second: Scores, console: Console, differences: Mapping[str, Difference]
) -> None:
    """Print the figures of the corpus's words, the recognised words, and the difference."""
    table = Table(title="human and recognised words", title_justify="left")
    table.add_column("")
    for name in ("human", "recognised", "difference", "95 % interval", "p"):
        table.add_column(name, justify="right")
    for key, wording in HEADLINES.items():
        shares = [_percent(getattr(one, key)) for one in (first, second)]
        points = f"{100 * (getattr(second, key) - getattr(first, key)):+.1f}"
        found = differences.get(key)
        ends = f"{100 * found.low:+.1f} to {100 * found.high:+.1f}" if found else ""
        table.add_row(wording, *shares, points, ends, f"{found.p_value:.3f}" if found else "")
    console.print(table)


def print_genders(by_gender: Mapping[str, Scores], console: Console) -> None:
    """Print the figures of women and of men."""
    table = Table(title="by gender of who speaks", title_justify="left")
    table.add_column("")
    for gender in by_gender:
        table.add_column(gender, justify="right")
    table.add_row("turns", *(str(one.n) for one in by_gender.values()))
    for key, wording in HEADLINES.items():
        table.add_row(wording, *(_percent(getattr(one, key)) for one in by_gender.values()))
    console.print(table)


def print_selective(figures: Selective, console: Console) -> None:
    """Print accuracy by the share of turns that is answered, the surest first."""
    table = Table(title="answering the surest only", title_justify="left")
    for name in ("coverage", "accuracy"):
        table.add_column(name, justify="right")
    for coverage, accuracy in figures.accuracy_at:
        table.add_row(_percent(coverage), _percent(accuracy))
    console.print(table)
    console.print(f"area under the risk-coverage curve {figures.aurc:.4f}")


def _class_table(scores: Scores, intervals: Intervals | None) -> Table:
    table = Table(title=f"{scores.n} examples", title_justify="left")
    table.add_column("emotion")
    for name in ("precision", "recall", "F1"):
        table.add_column(name, justify="right")
    if intervals:
        table.add_column("95 % of F1", justify="right")
    table.add_column("examples", justify="right")
    for label, figures in scores.per_class.items():
        shares = (figures.precision, figures.recall, figures.f1)
        ends = [_ends(intervals.f1[label])] if intervals else []
        table.add_row(label, *(_percent(share) for share in shares), *ends, str(figures.support))
    return table


def _headline_table(
    scores: Scores,
    extra: Mapping[str, float | int | str],
    intervals: Intervals | None,
    deviation: Mapping[str, float] | None,
) -> Table:
    titles = ["95 % interval"] * bool(intervals) + ["deviation"] * bool(deviation)
    table = Table(show_header=bool(titles))
    table.add_column()
    for title in ("", *titles):
        table.add_column(title, justify="right")
    for key, wording in HEADLINES.items():
        ends = [_ends(intervals.figures[key])] if intervals else []
        spread = [_percent(deviation[key])] if deviation else []
        table.add_row(wording, _percent(getattr(scores, key)), *ends, *spread)
    for key, value in extra.items():
        shown = _percent(value) if isinstance(value, float) else str(value)
        ends = [""] * bool(intervals)
        spread = [_percent(deviation[key])] if deviation and key in deviation else []
        table.add_row(key.replace("_", " "), shown, *ends, *spread)
    return table


def _ends(interval: Interval | None) -> str:
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}" if interval else ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
