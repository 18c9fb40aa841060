"""Tuning of LoRA on words alone, with nothing of a bundle beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from training.datasets.dialogues import Dialogue
from training.learning.dev import dev_weighted_f1
from training.learning.learner import build_learner, lora_parameters, save_learned
from training.learning.loop import Epoch
from training.learning.objectives import Objectives
from training.learning.runtime import Runtime
from training.learning.schedule import Group
from training.learning.sequences import word_sequences
from training.learning.stage import Stage, run_stage
from training.script import Job


def tune_words(
    job: Job,
    name: str,
    dialogues: Sequence[Dialogue],
    dev: Sequence[Dialogue],
    out: Path,
    *,
    title: str,
    keep_last: bool = False,
) -> Objectives:
    """Tune the recipe's LLM, resuming where it was; the weights and their record are in `out`.

    Args:
        job: Its recipe has settings `name`: `epochs`, `batch_tokens`, `learning_rate`,
            `weight_decay`.
        name: Of the stage.
        dialogues: Every epoch reads them.
        dev: Is scored after every epoch.
        out: Folder of the result.
        title: Of the epochs, for a person.
        keep_last: The result is the last epoch, not the one that is best on dev.

    Returns:
        The learner, with the weights of the last update.
    """
    settings = getattr(job.recipe.settings, name)
    torch.manual_seed(job.seed)
    runtime = Runtime(job.recipe.settings.trainer, out)
    objectives = build_learner(job.recipe)
    objectives.model.fusion.requires_grad_(False)
    objectives.placeholders.requires_grad_(False)
    prompt, labels = objectives.model.prompt, objectives.model.spec.labels
    dev_sequences = word_sequences(dev, labels, prompt)

    def dev_figure(wrapped: nn.Module, runtime: Runtime) -> float:
        return dev_weighted_f1(wrapped, objectives, dev_sequences, runtime)

    epochs = [
        Epoch(
            name=f"{title} {number}/{settings.epochs}",
            sequences=lambda rng: word_sequences(dialogues, labels, prompt),
            batch_tokens=settings.batch_tokens,
            frozen_inputs=True,
            candidate=number == settings.epochs or not keep_last,
        )
        for number in range(1, settings.epochs + 1)
    ]
    group = Group(
        lora_parameters(objectives), settings.learning_rate, weight_decay=settings.weight_decay
    )
    stage = Stage(
        name=name,
        objectives=objectives,
        groups=[group],
        epochs=epochs,
        dev=dev_figure,
        save=lambda write: save_learned(objectives, out, write=write),
        out=out,
        words_alone=True,
    )
    run_stage(job, stage, runtime)
    return objectives
