"""What is compared, for a person as one table and for a program as one JSON object.

Letters in shapes: N examples, C classes of a model.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.peer_labels import Floats, LabelMap
from stream.errors import UserError
from training.datasets.labels import MELD_LABELS
from training.evaluation.metrics import Scores, scores
from training.evaluation.report import HEADLINES, to_json
from training.progress import progress_bar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
Truths = Mapping[str, Sequence[int]]
"""By name of the annotation: (N,) index into `MELD_LABELS`, negative where there is none."""

TIMED = 200
"""Examples at most of which the time of a bundle is taken."""


@dataclass(frozen=True, eq=False)
class Result:
    """One model on one dev set."""

    name: str
    labels: LabelMap
    figures: Mapping[str, Scores]
    """By name of the annotation."""
    milliseconds: float
    """Of processor time that one example takes on one thread, the median."""
    megabytes: float
    """Of the weights."""
    parameters: int | None = None
    """None where they are not known."""
    notes: tuple[str, ...] = ()
    """What was read from the model or assumed."""

    def to_dict(self) -> dict[str, object]:
        """As JSON-safe values."""
        return {
            "name": self.name,
            "labels": dict(zip(self.labels.names, self.labels.meld, strict=True)),
            "left_out": list(self.labels.left_out),
            "never": list(self.labels.never),
            "figures": {name: to_json(one) for name, one in self.figures.items()},
            "milliseconds": self.milliseconds,
            "megabytes": self.megabytes,
            "parameters": self.parameters,
            "notes": list(self.notes),
        }


def timed(
    items: Sequence[Item],
    run: Callable[[Item], Outcome],
    what: str,
    clock: Callable[[], float] = time.thread_time,
) -> tuple[list[Outcome], float]:
    """Run something on one example after another.

    Args:
        items: N examples.
        run: What is timed.
        what: Said beside the progress bar.
        clock: Seconds of processor time of this thread, where models run too: so other work on
            the machine matters little.

    Returns:
        What came out for each, and the median of the milliseconds.
    """
    out, taken = list[Outcome](), list[float]()
    with progress_bar() as bar:
        task = bar.add_task(what, total=len(items), note="")
        for item in items:
            began = clock()
            out.append(run(item))
            taken.append(1000 * (clock() - began))
            bar.update(task, advance=1)
    return out, statistics.median(taken)


def measure(
    items: Sequence[Item], predict: Callable[[Item], Floats], labels: LabelMap, what: str
) -> tuple[Floats, float]:
    """(N, C) numbers of a model that gives (C,) for one example, and the median milliseconds.

    Raises:
        UserError: The model has another number of classes than there are labels.
    """

    def checked(item: Item) -> Floats:
        numbers = predict(item)
        if len(numbers) != len(labels.names):
            raise UserError(
                f"the model has {len(numbers)} classes, and there are {len(labels.names)} "
                f"labels ({', '.join(labels.names)}): name them all with --labels, in the "
                "order of its output"
            )
        return numbers

    out, milliseconds = timed(items, checked, what)
    return np.stack(out), milliseconds


def score_all(truths: Truths, probabilities: Floats) -> dict[str, Scores]:
    """Figures against each annotation, over the examples that have one."""
    found = {}
    for name, values in truths.items():
        truth = np.array(values, np.int64)
        known = truth >= 0
        if not known.any():
            raise UserError(f"none of the {len(truth)} examples has a {name}: raise --limit")
        found[name] = scores(MELD_LABELS, truth[known], probabilities[known])
    return found


def describe(labels: LabelMap) -> list[str]:
    """What becomes of a model's classes, a sentence each."""
    said = []
    if labels.renamed:
        pairs = [f"{name} is {emotion}" for name, emotion in labels.renamed.items()]
        said.append(f"classes: {', '.join(pairs)}")
    if labels.left_out:
        kept = "the probabilities of the others are made to sum to 1"
        said.append(f"left out, without counterpart: {', '.join(labels.left_out)}; {kept}")
    if labels.never:
        said.append(f"never recognised, no class for it: {', '.join(labels.never)}")
    return said


def print_results(title: str, unit: str, results: Sequence[Result], console: Console) -> None:
    """Print the models side by side, then what was assumed of each."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("")
    for result in results:
        table.add_column(result.name, justify="right", overflow="fold")
    for name, first in results[0].figures.items():
        of = [result.figures[name] for result in results]
        table.add_row(f"[bold]{name}[/bold], {first.n} examples")
        for key, wording in HEADLINES.items():
            table.add_row(f"  {wording}", *(_percent(getattr(one, key)) for one in of))
        for label in MELD_LABELS:
            shares = (_percent(one.per_class[label].f1) for one in of)
            table.add_row(f"  F1 of {label}", *shares)
        table.add_section()
    table.add_row(f"ms per {unit}, one thread", *(f"{one.milliseconds:.1f}" for one in results))
    table.add_row("MB of weights", *(f"{one.megabytes:.1f}" for one in results))
    if any(one.parameters for one in results):
        counts = (f"{one.parameters / 1e6:.1f} M" if one.parameters else "" for one in results)
        table.add_row("parameters", *counts)
    console.print(table)
    for result in results:
        for note in (*result.notes, *describe(result.labels)):
            console.print(f"{result.name}: {note}", markup=False, highlight=False, soft_wrap=True)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
