"""Check a copy of a corpus: its counts, and every clip of it.

Counts utterances per split and class and compares them with the published numbers; reads the clip
of every utterance and reports which are missing, empty, corrupt, cut wrongly, silent, or without
sound or pictures; and says which utterances will have to do without sound or pictures. Nothing is
changed.

Faults that every copy of a release has are recognised and marked as known.

Exit codes: 0, as published, at most with the known faults; 1, with other faults; 2, no such corpus
in the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.arguments import Parser, run_command
from stream.errors import UserError

# The rest is imported where it is used: every process that reads clips imports this module again,
# and would load torch, of which the labels are a part, for nothing.


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a copy; 0 if it is as published, 1 with unknown faults, 2 for a wrong folder."""
    from training.checks.run import check
    from training.checks.table import text

    options = _parser().parse_args(arguments)
    try:
        result = check(options.dataset, options.folder, options.jobs, partial=options.partial)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result.to_json(), indent=2) if options.json else text(result))
    return 0 if result.usable else 1


def _parser() -> argparse.ArgumentParser:
    from training.datasets.corpora import CORPORA

    parser = Parser(
        prog="python -m training.check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", choices=CORPORA, help="which corpus; manifest is own data")
    parser.add_argument("folder", type=Path, help="the copy, in the layout of docs/data.md")
    parser.add_argument("--json", action="store_true", help="one JSON object with all faults")
    parser.add_argument(
        "--jobs",
        type=_jobs,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes that read clips (default: one per core)",
    )
    parser.add_argument(
        "--partial",
        action="store_true",
        help="the copy is a part on purpose: do not compare its numbers with the published ones, "
        "and look at the clips that are there alone; clips.least trains on the dialogues that "
        "have them (docs/training.md)",
    )
    return parser


def _jobs(text: str) -> int:
    try:
        jobs = int(text)
    except ValueError:
        jobs = 0
    if not 1 <= jobs <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1")
    return jobs


if __name__ == "__main__":
    run_command(main)
