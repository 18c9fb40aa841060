"""One progress bar for all long work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console(stderr=True)
"""Progress and messages go to standard error; results to standard output."""


SECONDS_BETWEEN_LINES = 30.0
"""In a pipe or a file, which no bar can move in."""


class _Progress(Progress):
    """A bar that moves on a terminal; elsewhere a line now and then."""

    _told_at = 0.0

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
