"""Scores for a person, as a table, and for a program, as one JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from training.metrics import Scores

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
    scores: Scores, console: Console, extra: Mapping[str, float | int | str] | None = None
) -> None:
    """Print the figures per label, then those over all, in percent."""
    console.print(_class_table(scores))
    console.print(_headline_table(scores, extra or {}))


def _class_table(scores: Scores) -> Table:
    table = Table(title=f"{scores.n} examples", title_justify="left")
    table.add_column("emotion")
    for name in ("precision", "recall", "F1", "examples"):
        table.add_column(name, justify="right")
    for label, figures in scores.per_class.items():
        shares = (figures.precision, figures.recall, figures.f1)
        table.add_row(label, *(_percent(share) for share in shares), str(figures.support))
    return table


def _headline_table(scores: Scores, extra: Mapping[str, float | int | str]) -> Table:
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for key, wording in HEADLINES.items():
        table.add_row(wording, _percent(getattr(scores, key)))
    for key, value in extra.items():
        shown = _percent(value) if isinstance(value, float) else str(value)
        table.add_row(key.replace("_", " "), shown)
    return table


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
