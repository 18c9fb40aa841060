"""How long utterances took, by stage, from the events of a run.

    python run_live.py --file demo/talk.mp4 --mqtt off --jsonl out/talk.jsonl
    python -m training.latency out/talk.jsonl [--json]

Every event says how many milliseconds each stage took. `together` is their sum, without the
time an utterance waited in the queue.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from engine.arguments import Parser, run_command
from engine.events import EmotionEvent
from stream.errors import UserError
from training.progress import Results

TOTAL = "total"
"""From the end of speech to the event, as the live engine measures it."""
TOGETHER = "together"
WAITING = "queue"
"""The stage that is no work."""


@dataclass(frozen=True)
class StageLatency:
    """Milliseconds of one stage over the utterances that had it."""

    stage: str
    n: int
    """Utterances."""
    p50: float
    """Median."""
    p95: float


def read_events(path: Path) -> list[EmotionEvent]:
    """The events of a JSON lines file.

    Raises:
        UserError: It cannot be read, is empty, or has a line that is no event.
    """
    advice = "give what run_live.py --jsonl wrote"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        events = [EmotionEvent.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise UserError(f"{path} has no events ({error}): {advice}") from error
    if not events:
        raise UserError(f"{path} has no events: {advice}")
    return events


def latencies(events: Sequence[EmotionEvent]) -> list[StageLatency]:
    """Each stage in the order of its first occurrence, then all together."""
    times: dict[str, list[float]] = {}
    for event in events:
        work = {
            stage: ms for stage, ms in event.latency_ms.items() if stage not in (WAITING, TOTAL)
        }
        for stage, milliseconds in work.items():
            times.setdefault(stage, []).append(milliseconds)
        # Live, stages run beside each other: their sum is more than anybody waited.
        together = event.latency_ms.get(TOTAL, sum(work.values()))
        times.setdefault(TOGETHER, []).append(together)
    times[TOGETHER] = times.pop(TOGETHER)
    return [
        StageLatency(stage, len(found), *map(float, np.percentile(found, (50, 95))))
        for stage, found in times.items()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and print; 2 for a mistake of the user's."""
    parser = Parser(
        prog="python -m training.latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("events", type=Path, help="JSON lines of a run")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options = parser.parse_args(arguments)
    try:
        found = latencies(read_events(options.events))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps({"stages": [asdict(one) for one in found]}))
        return 0
    table = Table(title="milliseconds per utterance", title_justify="left")
    table.add_column("stage")
    for name in ("utterances", "p50", "p95"):
        table.add_column(name, justify="right")
    for one in found:
        table.add_row(one.stage, str(one.n), f"{one.p50:.0f}", f"{one.p95:.0f}")
    Results().print(table)
    return 0


if __name__ == "__main__":
    run_command(main)
