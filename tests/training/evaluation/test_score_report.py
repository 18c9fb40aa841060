"""Scores as a table and as JSON."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console

from training.evaluation.bootstrap import Difference, Interval, Intervals
from training.evaluation.metrics import FIGURES, Scores, scores
from training.evaluation.report import print_comparison, print_table, to_json


@pytest.fixture
def result() -> Scores:
    """Two of three examples right."""
    return scores(("joy", "fear"), [0, 0, 1], np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]))


def test_json(result: Scores) -> None:
    """The object has the documented keys and survives JSON unchanged."""
    entries = to_json(result, {"ferplus_accuracy": 0.82})
    assert json.loads(json.dumps(entries, allow_nan=False)) == entries
    assert set(entries) == {
        "n",
        "accuracy",
        "weighted_f1",
        "macro_f1",
        "unweighted_accuracy",
        "per_class",
        "ece",
        "ferplus_accuracy",
    }
    assert entries["n"] == 3
    assert entries["accuracy"] == pytest.approx(2 / 3)
    assert entries["per_class"] == {
        "joy": {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2},
        "fear": {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1},
    }


def test_extra_entries_cannot_hide_a_figure(result: Scores) -> None:
    """An extra entry with the name of a figure is refused."""
    with pytest.raises(ValueError, match="must not replace accuracy"):
        to_json(result, {"accuracy": 1.0})


def test_table(result: Scores) -> None:
    """A person reads every label, figure and extra entry in percent."""
    stream = io.StringIO()
    print_table(result, Console(file=stream, width=100), {"ferplus_accuracy": 0.825, "left_out": 4})
    lines = stream.getvalue().splitlines()
    assert "3 examples" in lines[0]
    for label, wanted in {
        "joy": ["100.0 %", "50.0 %", "66.7 %", "2"],
        "weighted F1": ["66.7 %"],
        "ferplus accuracy": ["82.5 %"],
        "left out": ["4"],
    }.items():
        (line,) = (line for line in lines if f" {label} " in line)
        assert all(text in line for text in wanted)


def printed(stream: io.StringIO, name: str) -> str:
    """The row of a table."""
    (line,) = (line for line in stream.getvalue().splitlines() if line.startswith(f"│ {name} "))
    return line


def test_a_table_with_intervals_and_deviations(result: Scores) -> None:
    """They stand beside the figures; a label without an interval has none."""
    stream = io.StringIO()
    intervals = Intervals(
        dict.fromkeys(FIGURES, Interval(0.25, 0.75)), {"joy": Interval(0.5, 0.625), "fear": None}
    )
    console = Console(file=stream, width=100)
    extra = {"ferplus_accuracy": 0.825, "left_out": 4}
    spread = dict.fromkeys((*FIGURES, "ferplus_accuracy"), 0.0625)
    print_table(result, console, extra, intervals, spread)
    assert [text.strip() for text in printed(stream, "ferplus accuracy").split("│")[2:5]] == [
        "82.5 %",
        "",
        "6.2 %",
    ]
    assert "25.0 to 75.0" in printed(stream, "weighted F1")
    assert "6.2 %" in printed(stream, "weighted F1")
    assert "50.0 to 62.5" in printed(stream, "joy")
    assert " to " not in printed(stream, "fear")


def test_a_comparison(result: Scores) -> None:
    """Both values, their difference in points with its interval, and the p-value."""
    stream = io.StringIO()
    other = scores(("joy", "fear"), [0, 0, 1], np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8]]))
    differences = {"accuracy": Difference(1 / 3, -0.1, 0.5, 0.125)}
    print_comparison(result, other, Console(file=stream, width=100), differences)
    line = printed(stream, "accuracy")
    for text in ("66.7 %", "100.0 %", "+33.3", "-10.0 to +50.0", "0.125"):
        assert text in line
