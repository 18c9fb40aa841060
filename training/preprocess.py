"""Bring a corpus's clips into the cache, as the encoders take them.

    python -m training.preprocess bemerc-meld --data DIR

DIR holds a folder for each corpus: DIR/meld for a recipe of MELD. Pictures are decoded, faces
cut where the recipe asks for them, and openSMILE run on the sound, over several processes; the
trainings do the same when it was not done before. It goes on where it was killed, and what has
been prepared is found again after a corpus was moved. A broken clip is absent in training; the
table at the end says which, and why. Clips whose reading ended its process are tried again each
time: give fewer --jobs where memory was short.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from engine.arguments import Parser, run_command
from stream.errors import UserError
from training.clips.encode import encode_dialogues, scale_of
from training.clips.prepare import PreparedReport, prepare
from training.datasets.corpora import open_corpus
from training.datasets.corpus import SPLITS
from training.datasets.dialogues import Dialogue
from training.progress import Results
from training.recipe import Recipe, add_recipe_arguments, chosen_recipe

__all__ = ["PreparedReport", "encode_dialogues", "main", "prepare", "scale_of"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 2 for a mistake of the user's."""
    options = _parse(arguments)
    try:
        recipe = chosen_recipe(options)
        dialogues = _dialogues(recipe, options.data, options.splits)
        report = prepare(dialogues, recipe.spec, options.cache, options.jobs, retry_crashed=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(to_json(report)))
    else:
        print_report(report, Results())
    return 0


def _dialogues(recipe: Recipe, data: Path, splits: Sequence[str]) -> list[Dialogue]:
    corpus = open_corpus(recipe.corpus, data / recipe.corpus, recipe.settings.clips.least)
    lacking = [name for name in splits if name not in corpus.splits]
    if lacking:
        raise UserError(
            f"{data / recipe.corpus} has no split {lacking[0]}; it has {', '.join(corpus.splits)}"
        )
    chosen = [dialogue for name in splits or corpus.splits for dialogue in corpus.splits[name]]
    if not any(utterance.clip for dialogue in chosen for utterance in dialogue.utterances):
        raise UserError(f"{data / recipe.corpus} has no clips; see docs/data.md for its layout")
    return chosen


def to_json(report: PreparedReport) -> dict[str, object]:
    """The report as one JSON-safe object."""
    return {
        "clips": report.clips,
        "without_clip": report.without_clip,
        "cached": report.cached,
        "made": report.made,
        "flaws": [
            {
                "dialogue": flaw.dialogue,
                "utterance": flaw.utterance,
                "path": str(flaw.path),
                "reason": flaw.reason,
            }
            for flaw in report.flaws
        ],
        "seconds": round(report.seconds, 3),
    }


def print_report(report: PreparedReport, console: Console) -> None:
    """Print the counts, then what is wrong with how many clips."""
    console.print(
        f"{report.clips} clips: {report.cached} from the cache, {report.made} made in "
        f"{report.seconds:.1f} s; {report.without_clip} utterances have no clip",
        highlight=False,
    )
    if not report.flaws:
        return
    table = Table(title="absent or damaged", title_justify="left")
    table.add_column("clips", justify="right")
    table.add_column("reason")
    table.add_column("first", overflow="fold")
    for reason, flaws in report.reasons.items():
        first = flaws[0]
        where = f"dialogue {first.dialogue} utterance {first.utterance}: {first.path}"
        table.add_row(str(len(flaws)), reason, where)
    console.print(table, markup=False)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m training.preprocess",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_recipe_arguments(parser)
    parser.add_argument("--data", type=Path, required=True, help="folder of corpora (docs/data.md)")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path("runs/cache"),
        help="folder to fill (runs/cache)",
    )
    parser.add_argument(
        "--jobs", type=_positive, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )
    parser.add_argument(
        "--splits",
        nargs="+",
        choices=SPLITS,
        default=[],
        help="only these; else all there are",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


if __name__ == "__main__":
    run_command(main)
