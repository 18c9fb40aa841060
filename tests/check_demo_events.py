"""Check the events that the demo wrote; run by `.ci/run`.

python -m tests.check_demo_events out/demo.jsonl bundles/compact
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from engine.events import EmotionEvent
from engine.model.manifest import verify_bundle

LEAST_EVENTS = 2


def check(lines: list[str], labels: set[str], bundle_sha256: str) -> list[str]:
    """What is wrong with the events; empty where nothing is."""
    problems = []
    events = []
    for number, line in enumerate(lines, 1):
        try:
            # The event itself refuses probabilities that do not sum to 1.
            event = EmotionEvent.loads(line)
        except ValueError as error:
            problems.append(f"line {number}: {error}")
            continue
        events.append(event)
        if set(event.emotion.probabilities) != labels:
            problems.append(f"line {number}: the labels are not those of the bundle")
        if event.model.sha256 != bundle_sha256:
            problems.append(f"line {number}: the event names another bundle")
    if len(events) < LEAST_EVENTS:
        problems.append(f"{len(events)} well-formed events; at least {LEAST_EVENTS} are needed")
    if not any(event.behaviour and event.moments for event in events):
        # The event itself refuses moments outside its window.
        problems.append("no event says what face and body do, and when")
    if len({event.id for event in events}) != len(events):
        problems.append("two events have the same id")
    return problems


def main(events: Path, bundle: Path) -> int:
    """Print what is wrong; returns the exit code."""
    identity = verify_bundle(bundle).sha256
    labels = set(json.loads((bundle / "spec.json").read_text(encoding="utf-8"))["labels"])
    lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
    problems = check(lines, labels, identity)
    for problem in problems:
        print(f"{events}: {problem}", file=sys.stderr)
    if not problems:
        print(f"{events}: {len(lines)} well-formed events")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: check_demo_events.py EVENTS.jsonl BUNDLE")
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
