"""An ablation as tables for a person, on a terminal of 80 columns."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from training.ablation.comparison import FIGURES, MAIN
from training.ablation.units import duration, operations, points
from training.evaluation.report import HEADLINES


def print_tables(document: dict[str, Any], console: Console) -> None:
    """Print figures, differences, costs, answers and what was left out.

    Args:
        document: Of `to_document`.
        console: Where.
    """
    if document["about"]["synthesised"]:
        console.print("synthesised data: these figures mean nothing", style="bold")
    for table in (_figures(document), _differences(document), _costs(document)):
        console.print(table)
    for question, given in document["answers"].items():
        console.print(question, style="bold", highlight=False)
        for answer in given:
            console.print(f"  {answer['sentence']}", highlight=False, markup=False)
    for text in (document["basis"], *document["budget"]):
        console.print(text, highlight=False, markup=False)
    for name, reason in document["skipped"].items():
        console.print(f"left out: {name}: {reason}", highlight=False, markup=False)


def _figures(document: dict[str, Any]) -> Table:
    seeds = document["seeds"]
    over = f", mean and deviation over {len(seeds)} seeds" if len(seeds) > 1 else ", one seed"
    size = f"{document['turns']:,} turns of {document['dialogues']:,} dialogues"
    table = _table(f"{document['recipe']} on dev: {size}{over}", "variant")
    for name in FIGURES:
        table.add_column(HEADLINES[name], justify="right", no_wrap=True)
    for name, row in document["variants"].items():
        spread = row["deviations"]
        cells = [
            f"{100 * row['figures'][figure]:.1f}"
            + (f" ± {100 * spread[figure]:.1f}" if spread else "")
            for figure in FIGURES
        ]
        table.add_row(name, *cells)
    return table


def _differences(document: dict[str, Any]) -> Table:
    table = _table(f"{HEADLINES[MAIN]}: variant minus full, in points", "variant")
    for name in ("difference", "95 % interval", "p", "p (Holm)"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, row in document["variants"].items():
        found = row["differences"].get(MAIN)
        if found:
            ends = f"{points(found['low'])} to {points(found['high'])}"
            p_values = (f"{found['p_value']:.3f}", f"{found['corrected_p']:.3f}")
            table.add_row(name, points(found["value"]), ends, *p_values)
    return table


def _costs(document: dict[str, Any]) -> Table:
    table = _table("cost of a training, by stage", "variant", "stage")
    for name in ("tokens", "time", "FLOP", "GB"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, row in document["variants"].items():
        for stage, cost in row["costs"].items():
            table.add_row(
                name,
                stage.removeprefix("stage"),
                f"{cost['tokens']:,}",
                duration(cost["seconds"]),
                operations(cost["flops"]),
                f"{cost['peak_memory_bytes'] / 1e9:.2f}",
            )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table
