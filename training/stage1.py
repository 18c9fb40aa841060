"""Stage 1 of BeMERC, behaviour alignment: teach the LLM what speakers look like as they speak.

    python -m training.stage1 bemerc-meld --data FOLDER
    accelerate launch --config_file training/recipes/fsdp.yaml -m training.stage1 bemerc-meld ...

The LLM reads a dialogue with placeholders for the video and audio tokens, and learns the
description that a teacher (`training.describe`) gave of each turn's behaviour, with
cross-entropy. What comes out is LoRA, which stage 2 goes on with.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from engine.arguments import run_command
from stream.errors import UserError
from training.describe.records import DESCRIPTIONS
from training.learning.dev import dev_log_likelihood
from training.learning.learner import build_learner, lora_parameters, save_learned
from training.learning.loop import Epoch
from training.learning.runtime import Runtime
from training.learning.schedule import Group
from training.learning.stage import Stage, run_stage
from training.plan import print_plan
from training.pretune import pretuned
from training.script import Job, run_script, script_parser
from training.sources import Sources


def train(job: Job) -> None:
    """Learn the descriptions of the corpus's training dialogues.

    Raises:
        UserError: the recipe has no stage 1, or nothing is described.
    """
    recipe, settings, out = job.recipe, job.recipe.settings.stage1, job.runs / "stage1"
    if not settings.epochs:
        raise UserError(f"recipe {recipe.name} has no stage 1: --set stage1.epochs=1 gives it one")
    corpus = job.open_corpus()  # a wrong folder is found before a large model is loaded
    begin = pretuned(job)
    torch.manual_seed(job.seed)
    runtime = Runtime(recipe.settings.trainer, out)
    objectives = build_learner(recipe, start=begin)
    objectives.model.fusion.requires_grad_(False)  # its tokens come with stage 2
    sources = Sources(job, corpus, objectives.model.prompt, runtime)
    described = sources.described("dev")

    def dev(wrapped: nn.Module, runtime: Runtime) -> float:
        return dev_log_likelihood(wrapped, objectives, described, runtime)

    groups = [
        Group(
            lora_parameters(objectives), settings.learning_rate, weight_decay=settings.weight_decay
        ),
        Group(list(objectives.placeholders.parameters()), settings.learning_rate),
    ]
    epochs = [
        Epoch(
            f"stage 1, behaviour {number}/{settings.epochs}",
            lambda rng: sources.described("train"),
            settings.batch_tokens,
        )
        for number in range(1, settings.epochs + 1)
    ]
    stage = Stage(
        name="stage1",
        objectives=objectives,
        groups=groups,
        epochs=epochs,
        dev=dev,
        save=lambda write: save_learned(objectives, out, write=write),
    )
    run_stage(job, stage, runtime)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train, or print the plan."""
    parser = script_parser("training.stage1", __doc__, needs="the recipe's corpus", plan=True)
    parser.add_argument(
        "--descriptions", type=Path, help=f"of the teacher; default {DESCRIPTIONS} in --runs"
    )
    return run_script(parser, arguments, train, plan=print_plan)


if __name__ == "__main__":
    run_command(main)
