"""Have a teacher describe the behaviour in every utterance of a corpus, for stage 1.

    python -m training.describe RECIPE --data DIR [--out FILE] [--teacher KIND]

    measured   face and body landmarks in words, by published rules; runs on a CPU
    prosody    published measures of the voice in words (MELD); needs no clips
    vision     an image-text model of transformers, such as Qwen/Qwen2-VL-7B-Instruct
    server     a model behind an OpenAI-compatible server, such as vLLM; its API key, where it
               wants one, is read from the variable BEMERC_TEACHER_KEY

The recipe names corpus and teacher; options change them. The output is JSONL, one line an
utterance: facial expression, body language and posture, or the reason why there is none.
Several processes share the work with --shard 1/4, --shard 2/4 and so on (a GPU for each with
--device); the same command without --shard then joins what they wrote.
It can be interrupted or killed at any moment: the same command goes on where it stopped, and
asks again only what another model, prompt or other pictures would answer otherwise.
docs/describe.md explains the format.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from engine.arguments import Parser
from stream.errors import UserError
from stream.printable import printable
from training.datasets.corpus import SPLITS as ALL_SPLITS
from training.describe.records import DESCRIPTIONS
from training.describe.run import SPLITS, Effort, Summary, describe_recipe
from training.describe.shards import Shard
from training.describe.teacher import TeacherDownError
from training.describe.teachers import TEACHERS, TeacherOptions
from training.progress import console
from training.recipe import add_recipe_arguments, chosen_recipe

SHOWN_REASONS = 5
INTERRUPTED = 130
"""Exit code of a program that Ctrl-C ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and describe; returns the exit code."""
    options = _parser().parse_args(arguments)
    again = "python -m training.describe " + shlex.join(
        sys.argv[1:] if arguments is None else arguments
    )
    try:
        summary, out = _describe(options)
    except TeacherDownError as error:
        _say(f"error: {error}")
        _say(f"what was described is kept; when that is put right, go on with: {again}")
        return 2
    except UserError as error:
        _say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _say(f"stopped; what was described is kept. Go on with: {again}")
        return INTERRUPTED
    _report(summary, out, options)
    if summary.done < summary.total:
        _say(f"stopped; what was described is kept. Go on with: {again}")
        return INTERRUPTED
    return 0


def _describe(options: argparse.Namespace) -> tuple[Summary, Path]:
    recipe = chosen_recipe(options)
    if options.limit is not None and options.limit < 1:
        raise UserError("--limit: at least 1")
    teacher = TeacherOptions.of(
        recipe,
        kind=options.teacher,
        model=options.model,
        url=options.url,
        frames=options.frames,
        batch=options.batch,
        device=options.device,
    )
    out = options.out or (options.runs or Path("runs") / recipe.name) / DESCRIPTIONS
    summary = describe_recipe(
        recipe,
        options.data,
        out,
        teacher=teacher,
        splits=options.splits,
        limit=options.limit,
        effort=Effort(options.attempts, options.retry_failed),
        shard=options.shard,
    )
    return summary, options.shard.file(out) if options.shard else out


def _report(summary: Summary, out: Path, options: argparse.Namespace) -> None:
    """What was done, and what comes next."""
    if options.json:
        document = {**vars(summary), "out": str(out)}
        print(json.dumps(document, indent=2))
    else:
        print(
            f"{summary.described} described, {summary.failed} failed, {summary.without} without "
            f"a clip, {summary.kept} were there already, of {summary.total}: {out}"
        )
    for reason, count in summary.reasons.most_common(SHOWN_REASONS):
        _say(f"  {count} x {printable(reason)}")
    if summary.failed:
        _say("--retry-failed asks again about what failed")
    if options.shard:
        _say("when all of them are done, the same command without --shard joins their files")
    elif summary.done == summary.total and summary.described + summary.kept:
        audit = ["training.audit", options.recipe, str(out), "--data", str(options.data)]
        _say(f"next, see what they are like: python -m {shlex.join(audit)}")


def _say(message: str) -> None:
    console.print(escape(message), soft_wrap=True, highlight=False)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m training.describe",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_recipe_arguments(parser)
    parser.add_argument("--data", type=Path, required=True, help="folder of corpora (docs/data.md)")
    parser.add_argument(
        "--runs", type=Path, help="folder of the training that learns from it; default runs/RECIPE"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help=f"JSONL to write or go on with; default {DESCRIPTIONS} in the folder of --runs",
    )
    parser.add_argument("--teacher", choices=TEACHERS, help="default: the recipe's")
    parser.add_argument("--model", help="name on the hub, path, or name on the server")
    parser.add_argument("--url", help="of the server, such as http://localhost:8000/v1")
    parser.add_argument("--frames", type=int, help="pictures of an utterance; default the recipe's")
    parser.add_argument(
        "--batch", type=int, help="utterances at once; default 8 for vision, 16 for a server"
    )
    parser.add_argument("--device", help="of the vision teacher, such as cuda:1; default: the GPU")
    parser.add_argument(
        "--shard",
        type=Shard.parse,
        metavar="I/N",
        help="describe part I of N, so that N processes share the work",
    )
    parser.add_argument(
        "--splits", nargs="+", default=list(SPLITS), choices=ALL_SPLITS, help="default: train dev"
    )
    parser.add_argument("--limit", type=int, help="only the first utterances")
    parser.add_argument(
        "--attempts", type=int, default=3, help="questions until an answer can be used; default 3"
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="ask again about what failed in earlier runs"
    )
    parser.add_argument("--json", action="store_true", help="the summary as one JSON object")
    return parser
