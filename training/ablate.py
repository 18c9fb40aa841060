"""Train variants of a recipe and compare them: what is each part worth?

    python -m training.ablate bemerc-meld --data FOLDER --report ablation.html
    python -m training.ablate compact --data FOLDER --only structured-prompt,context-1 --seeds 1,2
    python -m training.ablate --smoke

Variants take out facial expression, body language, posture or all behaviour (the LLMERC
baseline), join the two stages, change the prompt, take out words, voice or pictures, or
shorten the context. Each is trained with every seed and scored on dev, never on test, and
compared with the recipe as it is by a paired bootstrap over dialogues, with Holm's
correction. The same command goes on where it stopped, and makes the tables again without
training. On several GPUs, start it on each: they share the work. See docs/ablation.md.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.arguments import run_command
from stream.errors import UserError
from training.ablation.document import About, to_document
from training.ablation.experiment import Experiment
from training.ablation.outcome import Outcome
from training.ablation.page import ablation_page
from training.ablation.sample import Sample
from training.ablation.table import print_tables
from training.ablation.variants import FULL, VARIANTS, choose
from training.evaluation.bootstrap import RESAMPLES
from training.html import write_page
from training.progress import Results
from training.script import Job, run_script, script_parser, several_processes

SEEDS, SMOKE_SEEDS = (1, 2, 3), (1,)
"""Where none are given."""


def ablate(job: Job) -> None:
    """Train what is not trained yet, compare, and print.

    Raises:
        UserError: as the trainings do, or the report cannot be written.
    """
    options = job.options
    chosen, skipped = choose(job.recipe, options.only)
    sample = Sample(options.dialogues, options.dev_dialogues, job.seed)
    seeds = options.seeds or (SMOKE_SEEDS if options.smoke else SEEDS)
    experiment = Experiment(job, chosen, seeds, sample)
    if options.finished:
        outcomes, unfinished = finished(experiment)
        skipped |= unfinished
    else:
        outcomes = experiment.run()
    about = About(shlex.join(options.words), options.smoke, options.resamples)
    _show(to_document(experiment, outcomes, skipped, about), options)


def finished(experiment: Experiment) -> tuple[dict[str, list[Outcome]], dict[str, str]]:
    """The variants that are trained with every seed, and why the others are left out.

    Raises:
        UserError: `full` is not, or nothing else is.
    """
    found = experiment.finished()
    missing = {
        name: [str(seed) for seed in experiment.seeds if seed not in by_seed]
        for name, by_seed in found.items()
    }
    left_out = {
        name: f"not trained yet with seed {', '.join(seeds)}"
        for name, seeds in missing.items()
        if seeds
    }
    if FULL in left_out or len(left_out) == len(found) - 1:
        what = f"{FULL} is {left_out[FULL]}" if FULL in left_out else f"only {FULL} is trained"
        raise UserError(f"{experiment.root}: {what}: leave --finished out, to train")
    complete = {name: runs for name, runs in found.items() if name not in left_out}
    return (
        {name: [runs[seed] for seed in experiment.seeds] for name, runs in complete.items()},
        left_out,
    )


def _show(document: Mapping[str, Any], options: argparse.Namespace) -> None:
    # Printed first: no file that cannot be written costs the figures.
    if options.json:
        print(json.dumps(document, allow_nan=False))
    else:
        print_tables(dict(document), Results())
    if options.report is not None:
        try:
            write_page(options.report, ablation_page(dict(document)))
        except OSError as error:
            raise UserError(f"{options.report}: {error.strerror}; the figures are above") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, train and compare."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = script_parser("training.ablate", __doc__, needs="what the recipe needs", smoke=True)
    parser.set_defaults(words=["python", "-m", "training.ablate", *words])
    _add_what(parser)
    _add_output(parser)
    return run_script(parser, words, _checked)


def _checked(job: Job) -> None:
    if several_processes():
        raise UserError(
            "training.ablate runs in one process: start the same command once for each GPU "
            "instead, with CUDA_VISIBLE_DEVICES; they share the work"
        )
    report = job.options.report
    if report is not None and report.is_dir():
        raise UserError(f"--report {report} is a folder: give the name of a file")
    ablate(job)


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what is compared")
    names = ", ".join(name for name in VARIANTS if name != FULL)
    what.add_argument(
        "--only",
        type=_names,
        default=(),
        metavar="A,B",
        help=f"these variants beside {FULL}: {names}",
    )
    what.add_argument(
        "--seeds",
        type=_seeds,
        metavar="1,2,3",
        help="of the trainings (1,2,3; with --smoke 1); --seed is of the encoders and of the "
        "sample, which all share",
    )
    what.add_argument(
        "--dialogues", type=int, metavar="N", help="train on so many, drawn by --seed; else on all"
    )
    what.add_argument(
        "--dev-dialogues", type=int, metavar="N", help="score so many; else all of dev"
    )
    what.add_argument(
        "--descriptions", type=Path, help="of a teacher who was asked before, instead of asking"
    )
    what.add_argument(
        "--resamples", type=_resamples, default=RESAMPLES, help=f"of dialogues ({RESAMPLES})"
    )
    what.add_argument(
        "--finished", action="store_true", help="train nothing: compare what is trained already"
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    output = parser.add_argument_group("what comes out")
    output.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    output.add_argument("--report", type=Path, metavar="FILE", help="also write an HTML report")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _seeds(text: str) -> tuple[int, ...]:
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: numbers with commas, such as 1,2,3") from None
    if len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: each once, from 0")
    return seeds


def _resamples(text: str) -> int:
    if not text.isdigit() or int(text) < 100:
        raise argparse.ArgumentTypeError(f"{text!r}: at least 100")
    return int(text)


if __name__ == "__main__":
    run_command(main)
