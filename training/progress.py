"""One progress bar for all long work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

console = Console(stderr=True)
"""Progress and messages go to standard error; results to standard output."""


class Results(Console):
    """Standard output for results: no table loses a part of what it says for want of width.

    A pipe or a file has no width. On a terminal a table that is too wide is set more closely, and
    if that is not enough, its lines go on in the next one.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a table as wide as it has to be."""
        for one in objects:
            if isinstance(one, Table):
                self._make_room(one)
        super().print(*objects, **options)

    def _make_room(self, table: Table) -> None:
        if self._width_of(table) > self.width and self.is_terminal:
            table.box, table.padding, table.pad_edge = SIMPLE_HEAD, (0, 1, 0, 0), False
        self.width = max(self.width, self._width_of(table))

    def _width_of(self, table: Table) -> int:
        wide = self.options.update(max_width=10_000)
        return Measurement.get(self, wide, table).maximum


SECONDS_BETWEEN_LINES = 30.0
"""In a pipe or a file, which no bar can move in."""


class _Progress(Progress):
    """A bar that moves on a terminal; elsewhere a line now and then."""

    def __init__(self, *columns: ProgressColumn, **options: Any) -> None:
        super().__init__(*columns, **options)
        self._told_at = self.get_time()

    def update(self, task_id: TaskID, *arguments: Any, **changes: Any) -> None:
        """Change a task, and tell of it where no bar does."""
        super().update(task_id, *arguments, **changes)
        now = self.get_time()
        if self.disable or self.console.is_terminal or now - self._told_at < SECONDS_BETWEEN_LINES:
            return
        self._told_at = now
        task = next(one for one in self.tasks if one.id == task_id)
        total = "" if task.total is None else f"/{task.total:g}"
        rest = task.time_remaining
        left = f", {timedelta(seconds=round(rest))} left" if rest else ""
        line = f"{task.description}: {task.completed:g}{total} {task.fields.get('note', '')}{left}"
        self.console.print(line.rstrip(), highlight=False, markup=False, soft_wrap=True)


def progress_bar(*, visible: bool = True) -> Progress:
    """A bar with counts, elapsed and remaining time; use as a context manager."""
    return _Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not visible,
    )
