"""Emotion pre-tuning: what the words of other corpora say, before the conversations of the recipe.

    python -m training.pretune compact --data FOLDER

A conversation corpus is small and its rare emotions are rarer still. GoEmotions' comments,
as many of each label as `pretune.per_label`, are read in dialogues of eight unrelated
speakers; DailyDialog is read as it is. All have MELD's seven labels, so recipes of every
corpus and every seed start from the same LoRA, which is kept with the features in `--cache`.

`bundles/pretuned` has the result for the compact base, sealed like a bundle; where a recipe
asks for just that one it is taken from there. `--out` writes such a folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.arguments import run_command
from engine.model.spec import LlmSpec, ModelSpec, flat_instruction
from training.datasets.labels import MELD_LABELS
from training.datasets.pretuning import read_dialogues
from training.learning.learner import LORA
from training.learning.provenance import FINISHED
from training.learning.shipped import find_kept, kept_folder, publish
from training.learning.words import tune_words
from training.recipe import Recipe
from training.script import Job, run_script, script_parser
from training.settings import Pretuning, Settings

NAME = "pretune"
DEV_DIALOGUES = 200
"""Of the dev splits, that an epoch is scored on."""


def train(job: Job) -> Path:
    """Pre-tune, unless the same was done before; returns the folder of the LoRA."""
    if (done := find(job)) is not None:
        return done
    job = _shared(job)
    out = folder_of(job)
    settings = job.recipe.settings.pretune
    dialogues = {split: read_dialogues(settings, job.data, split) for split in ("train", "dev")}
    dev = dialogues["dev"][:DEV_DIALOGUES]
    tune_words(job, NAME, dialogues["train"], dev, out, title="pre-tuning")
    return out


def pretuned(job: Job) -> Path | None:
    """Folder of the LoRA that the recipe's stages start from; None without pre-tuning."""
    return train(job) if job.recipe.settings.pretune.epochs else None


def find(job: Job) -> Path | None:
    """The folder of the LoRA if it is there, made here or shipped.

    Raises:
        UserError: the shipped folder is the one, and is not as its manifest says.
    """
    return find_kept(_shared(job), NAME)


def folder_of(job: Job) -> Path:
    """Where a pre-tuning is kept that is made here, by what it was made with."""
    return kept_folder(_shared(job), NAME)


def _shared(job: Job) -> Job:
    """The job with what recipes and seeds differ in taken out."""
    return replace(job, recipe=shared_recipe(job.recipe), seed=1)


def shared_recipe(recipe: Recipe) -> Recipe:
    """The recipe of the pre-tuning alone, with MELD's labels."""
    spec, settings = recipe.spec, recipe.settings
    prompt = replace(spec.prompt, instruction=flat_instruction(MELD_LABELS))
    return Recipe(
        NAME,
        NAME,
        ModelSpec(NAME, llm=_narrow(spec.llm, settings.pretune), prompt=prompt),
        Settings(pretune=settings.pretune, trainer=settings.trainer),
    )


def _narrow(llm: LlmSpec, settings: Pretuning) -> LlmSpec:
    """The LLM with the pre-tuning's own LoRA, of the same scale where the recipe's is larger."""
    rank = min(settings.lora_rank or llm.lora_rank, llm.lora_rank)
    return replace(
        llm,
        lora_rank=rank,
        lora_alpha=llm.lora_alpha * rank // max(1, llm.lora_rank),
        lora_first_layer=max(settings.lora_first_layer, llm.lora_first_layer),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and pre-tune."""
    needs = "the corpora that the recipe's pretune.corpora names"
    parser = script_parser("training.pretune", __doc__, needs=needs)
    parser.add_argument("--out", type=Path, help="also write it here, sealed with a manifest")
    return run_script(parser, arguments, _run)


def _run(job: Job) -> None:
    if not job.recipe.settings.pretune.epochs:
        print(f"recipe {job.recipe.name} has no pre-tuning: --set pretune.epochs=1 gives it one")
        return
    folder = train(job)
    print(f"LoRA in {folder / LORA}; {FINISHED} says what it was made with")
    if job.options.out is not None:
        publish(folder, _shared(job).spec, job.options.out)


if __name__ == "__main__":
    run_command(main)
