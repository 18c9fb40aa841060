"""A model soup: the text epochs from several seeds, their LoRA averaged.

Averaging weights of trainings that start from the same point costs nothing live and is
better than each of them (Wortsman et al., 2022, arXiv 2203.05482). What is learned after,
faces and voices, goes on from the average.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.model.spec import ModelSpec
from stream.errors import UserError
from training.learning.checkpoint import write_tensors
from training.learning.learner import LORA, owner
from training.learning.provenance import write_joined
from training.learning.shipped import find_shipped
from training.progress import console
from training.recipe import Recipe
from training.script import Job
from training.settings import Dropout, EncoderSettings, Stage2Training

WORDS_SETTINGS = (
    "text_epochs",
    "batch_tokens",
    "learning_rate",
    "weight_decay",
    "class_weights",
    "member_average",
    "noisy_share",
    "noise_rate",
    "cut_share",
    "rank_dropout",
)
"""Of `Stage2Training`."""
FOLDER = "words"
"""Below the runs folder: the average, and the members in folders of their own."""


def average(job: Job, start: Path | None, tune: Callable[..., None]) -> Path:
    """Train the members that are not trained yet; returns the folder of their average."""
    out, count = job.runs / FOLDER, job.recipe.settings.stage2.members
    folders = [trained_member(job, number, start, tune) for number in range(1, count + 1)]
    write_tensors(out / LORA, mean_of([load_file(folder / LORA) for folder in folders]))
    write_joined(out, folders)
    return out


def trained_member(job: Job, number: int, start: Path | None, tune: Callable[..., None]) -> Path:
    """Folder of a member's weights: shipped with the code, or trained here if need be."""
    member = member_job(job, number)
    title = f"member {number} of {job.recipe.settings.stage2.members}"
    shipped = find_shipped(owner(member.recipe, "stage2", member.seed, start, words_alone=True))
    if shipped is not None:
        console.print(f"{title}: from {shipped}")
        return shipped
    console.print(title)
    tune(member, start, member=True)
    return member.runs / "stage2"


def member_job(job: Job, number: int) -> Job:
    """One member's: words alone, from a seed that no other member of any seed has.

    Raises:
        UserError: there is no such member.
    """
    stage = job.recipe.settings.stage2
    if not 1 <= number <= stage.members:
        raise UserError(f"--member {number}: the recipe has members 1 to {stage.members}")
    seed = (job.seed - 1) * stage.members + number
    return replace(
        job, recipe=words_recipe(job.recipe), runs=job.runs / FOLDER / str(number), seed=seed
    )


def words_recipe(recipe: Recipe) -> Recipe:
    """The recipe of a member: all that words alone depend on, so that no more makes it another."""
    given, spec = recipe.settings, recipe.spec
    kept = {name: getattr(given.stage2, name) for name in WORDS_SETTINGS}
    stage2 = Stage2Training(**kept, composed_epochs=0)
    settings = replace(given, stage2=stage2, dropout=Dropout(), encoders=EncoderSettings())
    words = ModelSpec(spec.name, spec.labels, prompt=spec.prompt, llm=spec.llm, evidence=False)
    return replace(recipe, spec=words, settings=settings)


def mean_of(weights: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each tensor, in its own type."""
    return {
        name: torch.stack([one[name].float() for one in weights]).mean(0).to(first.dtype)
        for name, first in weights[0].items()
    }
