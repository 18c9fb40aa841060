"""Train a recipe from corpora to a sealed bundle; each step resumes where it stopped.

    python -m training.run compact --data FOLDER --out bundles/mine
    python -m training.run bemerc-meld --data FOLDER --plan
    python -m training.run --smoke

The steps, each a command of its own: `training.pretune`, `training.distil`,
`training.encoders`, `training.prosody`, `training.describe` (the teacher of behaviour),
`training.stage1`, `training.stage2`, `training.bundle`. Those that the recipe does not need are
left out; clips are read by the step that needs them first. A step whose weights are there is not
repeated: delete its folder below ``--runs`` (of the first two below ``--cache``) to train anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.arguments import run_command
from export.bundle import require_replaceable
from export.models import resolve
from stream.errors import UserError
from training import bundle, distil, encoders, pretune, prosody, stage1, stage2
from training.describe.records import DESCRIPTIONS
from training.describe.run import describe_recipe
from training.plan import print_plan
from training.progress import console
from training.script import Job, run_script, script_parser, several_processes


def steps(job: Job) -> list[tuple[str, Callable[[Job], None]]]:
    """Title and work of the steps that the recipe needs."""
    settings = job.recipe.settings
    behaviour = settings.stage1.epochs > 0 or settings.stage2.joint
    found: list[tuple[str, Callable[[Job], None]]] = []
    if settings.pretune.epochs:
        found.append(("pre-tuning", pretune_once))
    if settings.distils:
        found.append(("distillation", distil_once))
    found.append(("encoders", encoders.prepare))
    if job.spec.prosody:
        found.append(("prosody", prepare_prosody))
    if behaviour and settings.teacher.kind != "none":
        found.append(("behaviour descriptions", describe))
    if job.recipe.has_stage1:
        found.append(("stage 1", stage1.train))
    return [*found, ("stage 2", stage2.train), ("bundle", make_bundle)]


def run(job: Job) -> None:
    """All steps.

    Raises:
        UserError: a launcher started several processes, or a step failed.
    """
    if several_processes():
        raise UserError(
            "training.run is one process: run the steps by themselves, and only training.stage1 "
            "and training.stage2 under accelerate launch or torchrun"
        )
    _find_models(job)
    todo = steps(job)
    for number, (title, work) in enumerate(todo, start=1):
        console.rule(f"{number}/{len(todo)} {title}")
        work(job)


def _find_models(job: Job) -> None:
    """Before hours of work, whether what the last steps need can be had, and `--out` written."""
    if not job.options.smoke:
        require_replaceable(job.options.out)
    resolve(job.spec.llm.base)
    settings, teacher = job.recipe.settings, job.recipe.settings.teacher
    if settings.distils and distil.find(job) is None:
        resolve(settings.distillation.base)
    if teacher.kind == "vision" and not (job.runs / DESCRIPTIONS).exists():
        resolve(teacher.model)


def pretune_once(job: Job) -> None:
    """Pre-tune, unless another recipe or seed did."""
    pretune.train(job)


def distil_once(job: Job) -> None:
    """Have the larger LLM read the dialogues, unless another seed did."""
    distil.train(job)


def prepare_prosody(job: Job) -> None:
    """Train the prosody encoder unless it is there."""
    if not prosody.prosody_weights(job.runs).exists():
        prosody.prepare(job)


def describe(job: Job) -> None:
    """Have the recipe's teacher describe the corpus.

    Raises:
        UserError: it was interrupted.
    """
    summary = describe_recipe(
        job.recipe, job.data, job.runs / DESCRIPTIONS, corpus=job.open_corpus()
    )
    console.print(f"{summary.described} described, {summary.failed} failed, {summary.kept} kept")
    if summary.done < summary.total:
        raise UserError("stopped; the same command goes on where it was")


def make_bundle(job: Job) -> None:
    """Into `--out`; a smoke run keeps it with the rest, which is thrown away."""
    bundle.build(job, job.runs / "bundle" if job.options.smoke else job.options.out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and do all steps, or print the plan."""
    parser = script_parser(
        "training.run", __doc__, needs="what the recipe needs", plan=True, smoke=True
    )
    parser.add_argument("--out", type=Path, default=Path("bundles/mine"), help="of the bundle")
    return run_script(parser, arguments, run, plan=print_plan)


if __name__ == "__main__":
    run_command(main)
