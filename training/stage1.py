"""Stage 1 of BeMERC, behaviour alignment: teach the LLM what speakers look like as they speak.

    python -m training.stage1 bemerc-meld --data FOLDER
    accelerate launch --config_file training/recipes/fsdp.yaml -m training.stage1 bemerc-meld ...

The LLM reads a dialogue with placeholders for the video and audio tokens, and learns the
description that a teacher (`training.describe`) gave of each turn's behaviour, with
cross-entropy. What comes out is LoRA, which stage 2 goes on with.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from stream.errors import UserError
from training.dev import dev_log_likelihood
from training.learner import build_learner, lora_parameters, owner, save_learned
from training.loop import Epoch, Training, fit
from training.plan import print_plan
from training.provenance import write_provenance
from training.runtime import Runtime
from training.schedule import Group, make_optimizer
from training.script import Job, run_script, script_parser
from training.sources import DESCRIPTIONS, Sources, corpus_of


def train(job: Job) -> None:
    """Learn the descriptions of the corpus's training dialogues.

    Raises:
        UserError: the recipe has no stage 1, or nothing is described.
    """
    recipe, stage, out = job.recipe, job.recipe.settings.stage1, job.runs / "stage1"
    if not stage.epochs:
        raise UserError(f"recipe {recipe.name} has no stage 1: --set stage1.epochs=1 gives it one")
    corpus = corpus_of(job)  # a wrong folder is found before a large model is loaded
    torch.manual_seed(job.seed)
    runtime = Runtime(recipe.settings.trainer, out)
    objectives = build_learner(recipe)
    objectives.model.fusion.requires_grad_(False)  # its tokens come with stage 2
    sources = Sources(job, corpus, objectives.model.prompt)
    described = sources.described("dev")

    def dev(wrapped: nn.Module, runtime: Runtime) -> float:
        return dev_log_likelihood(wrapped, objectives, described, runtime)

    groups = [
        Group(lora_parameters(objectives), stage.learning_rate, weight_decay=stage.weight_decay),
        Group(list(objectives.placeholders.parameters()), stage.learning_rate),
    ]
    epochs = [
        Epoch(
            f"stage 1, behaviour {number}/{stage.epochs}",
            lambda rng: sources.described("train"),
            stage.batch_tokens,
        )
        for number in range(1, stage.epochs + 1)
    ]
    training = Training(
        name="stage1",
        objectives=objectives,
        optimizer=make_optimizer(groups),
        epochs=epochs,
        dev=dev,
        save=lambda: save_learned(objectives, out, write=runtime.is_main),
        settings=recipe.settings.trainer,
        out=out,
        owner=owner(recipe, "stage1", job.seed),
        seed=job.seed,
    )
    runtime.start_trackers("stage1", stage)
    progress = fit(training, runtime)
    if runtime.is_main:
        write_provenance(out, recipe, job.seed, progress)
    runtime.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train, or print the plan."""
    parser = script_parser("training.stage1", __doc__, needs="the recipe's corpus", plan=True)
    parser.add_argument(
        "--descriptions", type=Path, help=f"of the teacher; default {DESCRIPTIONS} in --runs"
    )
    return run_script(parser, arguments, train, plan=print_plan)


if __name__ == "__main__":
    sys.exit(main())
