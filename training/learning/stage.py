"""What running stage 1 and stage 2 have in common, around the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from training.learning.learner import owner
from training.learning.loop import Epoch, Training, fit
from training.learning.objectives import Objectives
from training.learning.provenance import write_provenance
from training.learning.runtime import Runtime
from training.learning.schedule import Group, make_optimizer
from training.script import Job


@dataclass(frozen=True, eq=False)
class Stage:
    """A stage, ready to be trained."""

    name: str
    """`stage1` or `stage2`: also the key of its settings and its folder below the runs."""
    objectives: Objectives
    groups: Sequence[Group]
    epochs: Sequence[Epoch]
    dev: Callable[[nn.Module, Runtime], float]
    """See `training.learning.loop.Training`."""
    save: Callable[[bool], None]
    """Writes the result; told whether this process is the one that writes."""
    start: Path | None = None
    """Folder of the stage before, whose LoRA it goes on with."""
    out: Path | None = None
    """Folder of its weights; the stage's own below the runs where it is not given."""
    words_alone: bool = False
    """Whether it learns from words only, and keeps nothing but LoRA."""
    average_decay: float = 0.0
    """See `training.learning.loop.Training`."""


def run_stage(job: Job, stage: Stage, runtime: Runtime) -> None:
    """Train, log, and write down how the weights came about."""
    recipe, out = job.recipe, stage.out or job.runs / stage.name
    training = Training(
        name=stage.name,
        objectives=stage.objectives,
        optimizer=make_optimizer(stage.groups),
        epochs=stage.epochs,
        dev=stage.dev,
        save=lambda: stage.save(runtime.is_main),
        settings=recipe.settings.trainer,
        out=out,
        owner=owner(recipe, stage.name, job.seed, stage.start, words_alone=stage.words_alone),
        seed=job.seed,
        average_decay=stage.average_decay,
    )
    runtime.start_trackers(stage.name, getattr(recipe.settings, stage.name))
    progress = fit(training, runtime)
    if not stage.epochs:  # nothing was left to learn: the result is where it started
        training.save()
    if runtime.is_main:
        write_provenance(out, recipe, job.seed, progress, training.owner)
    runtime.close()
