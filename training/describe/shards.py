"""Several processes share the work: each describes some dialogues into a file of its own.

    descriptions.jsonl                     all, after they were joined
    descriptions.shard-2-of-4.jsonl        the second of four parts

Dialogues stay whole, as some teachers remember one.
"""

from __future__ import annotations

import argparse
import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.describe.records import RecordFile
from training.describe.work import Task


@dataclass(frozen=True)
class Shard:
    """One part of the work."""

    number: int
    """From 1."""
    count: int
    """Of the parts."""

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `2/4`.

        Raises:
            argparse.ArgumentTypeError: It is no part of a whole.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text.strip(), re.ASCII)
        number, count = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= count:
            raise argparse.ArgumentTypeError(f"{text!r}: a part of a whole, such as 1/4 to 4/4")
        return cls(number, count)

    def of(self, tasks: Sequence[Task]) -> list[Task]:
        """Those of its dialogues, in order: dialogues are dealt out in turn."""
        dialogues = {_dialogue(task): 0 for task in tasks}
        place = {dialogue: index % self.count for index, dialogue in enumerate(dialogues)}
        return [task for task in tasks if place[_dialogue(task)] == self.number - 1]

    def file(self, whole: Path) -> Path:
        """Where it writes, beside the file of the whole."""
        return whole.with_name(f"{whole.stem}.shard-{self.number}-of-{self.count}{whole.suffix}")


def join(whole: RecordFile) -> None:
    """Take over what the parts beside an open file have newer; their files are deleted.

    Raises:
        UserError: A part is still being written, or has a line that is no record.
    """
    path = whole.path
    pattern = f"{glob.escape(path.stem)}.shard-*-of-*{glob.escape(path.suffix)}"
    for part in sorted(path.parent.glob(pattern)):
        with RecordFile(part) as file:
            whole.append(
                record
                for key, record in file.latest.items()
                if key not in whole.latest or whole.latest[key].created < record.created
            )
        part.unlink()
        part.with_name(f"{part.name}.lock").unlink(missing_ok=True)


def _dialogue(task: Task) -> tuple[str, str]:
    return task.request.key.split, task.request.key.dialogue
