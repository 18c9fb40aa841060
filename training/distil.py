"""Distillation: what a larger LLM says of the training dialogues, beside what the annotators say.

    python -m training.distil compact --data FOLDER

One label a turn says nothing of how near the others are. A larger LLM, tuned on the same
dialogues, says how likely each emotion is, and the words are then learned from both (Hinton et
al., 2015, arXiv 1503.02531). It must not know the turns by heart: the dialogues are dealt out
into folds, and each is scored by LoRA that was tuned on the others. It is needed for training
alone; all seeds of a recipe learn from the same.

`bundles/taught` has the result for the compact recipe, sealed like a bundle; where a recipe
asks for just that one it is taken from there. `--out` writes such a folder.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.arguments import run_command
from engine.model.calibration import fit_temperature
from engine.model.spec import ModelSpec
from stream.errors import UserError
from training.datasets.dialogues import Dialogue
from training.learning.checkpoint import write_tensors
from training.learning.learner import LORA, load_lora
from training.learning.objectives import Objectives
from training.learning.provenance import FINISHED, write_finished, write_joined
from training.learning.sequences import in_context, text_sequence
from training.learning.shipped import find_kept, kept_folder, kept_owner, publish
from training.learning.words import tune_words
from training.progress import console, progress_bar
from training.recipe import Recipe
from training.script import Job, run_script, script_parser, several_processes
from training.settings import Settings

NAME = "distillation"
TARGETS = "targets.safetensors"
"""Probabilities (n, E) of the turns of every training dialogue, by its id."""
SCORES = "scores.safetensors"
"""The same before the softmax, of one fold."""


def train(job: Job) -> Path:
    """Tune the teacher and score the training dialogues; returns the folder of `TARGETS`.

    Nothing is done that was done before.

    Raises:
        UserError: a launcher started several processes, and it was not done before.
    """
    if (done := find(job)) is not None:
        return done
    if several_processes():
        raise UserError("distillation is one process: run python -m training.distil first")
    job, out = _shared(job), folder_of(job)
    job = replace(job, corpus=job.open_corpus())  # read once, not for every fold
    dialogues = job.open_corpus().splits["train"]
    folds = _dealt(dialogues, job.recipe.settings.distillation.folds)
    folders = [_score_fold(job, number, folds, out) for number in range(1, len(folds) + 1)]
    scores = {key: one for folder in folders for key, one in load_file(folder / SCORES).items()}
    temperature = _temperature(scores, dialogues, job.spec.labels)
    console.print(f"temperature of the teacher, out of fold: {temperature:.2f}")
    write_tensors(
        out / TARGETS, {key: (one / temperature).softmax(1).half() for key, one in scores.items()}
    )
    write_joined(out, folders)
    write_finished(out, kept_owner(job, NAME))
    return out


def find(job: Job) -> Path | None:
    """The folder of the targets if it is there, made here or shipped.

    Raises:
        UserError: the shipped folder is the one, and is not as its manifest says.
    """
    return find_kept(_shared(job), NAME)


def read_targets(job: Job, dialogues: Sequence[Dialogue]) -> dict[str, Tensor]:
    """Probabilities (n, E) of the turns of training dialogues, by their ids.

    Raises:
        UserError: they are not there, or are of other dialogues.
    """
    folder = find(job)
    if folder is None:
        raise UserError(
            f"the teacher's targets are missing: run python -m training.distil {job.recipe.name}"
        )
    found = load_file(folder / TARGETS)
    for one in dialogues:
        if one.id not in found or len(found[one.id]) != len(one.utterances):
            raise UserError(
                f"{folder} is of another copy of the corpus (dialogue {one.id} is not the same): "
                "delete it, and run python -m training.distil again"
            )
    return {one.id: found[one.id].float() for one in dialogues}


def folder_of(job: Job) -> Path:
    """Where targets are kept that are made here, by what they were made with."""
    return kept_folder(_shared(job), NAME)


def teacher_recipe(recipe: Recipe) -> Recipe:
    """The recipe of the teacher alone."""
    spec, settings = recipe.spec, recipe.settings
    given = settings.distillation
    llm = replace(
        spec.llm,
        base=given.base,
        hidden_size=given.hidden_size,
        lora_rank=given.lora_rank,
        lora_alpha=2 * given.lora_rank,
        lora_first_layer=given.lora_first_layer,
    )
    return Recipe(
        NAME,
        recipe.corpus,
        ModelSpec(NAME, spec.labels, llm=llm, prompt=spec.prompt, evidence=False),
        Settings(distillation=replace(given, share=0.0), trainer=settings.trainer),
    )


def _shared(job: Job) -> Job:
    """The job with what recipes and seeds differ in taken out."""
    return replace(job, recipe=teacher_recipe(job.recipe), seed=1)


def _dealt(dialogues: Sequence[Dialogue], folds: int) -> list[list[Dialogue]]:
    """The dialogues in so many parts, at random and always the same."""
    dealt = list(dialogues)
    random.Random(0).shuffle(dealt)
    return [dealt[first::folds] for first in range(folds)]


def _score_fold(job: Job, number: int, folds: Sequence[Sequence[Dialogue]], out: Path) -> Path:
    """Tune on the other folds and score this one; returns the folder of `SCORES`."""
    own = out / str(number)
    if (own / SCORES).exists():
        return own
    others = [one for n, fold in enumerate(folds, start=1) if n != number for one in fold]
    objectives = tune_words(
        job,
        NAME,
        others,
        job.open_corpus().splits["dev"],
        own,
        title=f"teacher {number}/{len(folds)}, words",
        keep_last=True,  # nothing is chosen on dev, which the words are yet to be
    )
    load_lora(objectives, own / LORA)
    write_tensors(own / SCORES, _scores(folds[number - 1], objectives))
    return own


@torch.no_grad()
def _scores(dialogues: Sequence[Dialogue], objectives: Objectives) -> dict[str, Tensor]:
    """Label scores (n, E) of every dialogue; zeros where the emotion is not among the labels."""
    objectives.eval()
    prompt, labels = objectives.model.prompt, objectives.model.spec.labels
    found = {}
    with progress_bar() as bar:
        task = bar.add_task("scoring", total=len(dialogues), note="")
        for one in dialogues:
            whole = text_sequence(one, labels)
            parts = [
                objectives([part], scores_only=True).float().cpu()[part.targets.sum(1) > 0]
                for part in in_context(whole, prompt)
            ]
            scores = torch.zeros_like(whole.targets)
            scores[whole.targets.sum(1) > 0] = torch.cat(parts)
            found[one.id] = scores
            bar.advance(task)
    return found


def _temperature(
    scores: dict[str, Tensor], dialogues: Sequence[Dialogue], labels: Sequence[str]
) -> float:
    """The one with which the scores make the labels likeliest."""
    targets = torch.cat([text_sequence(one, labels).targets for one in dialogues])
    known = targets.sum(1) > 0
    given = torch.cat([scores[one.id] for one in dialogues])
    return fit_temperature(given[known], targets[known].argmax(1))


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and distil."""
    parser = script_parser("training.distil", __doc__, needs="the recipe's corpus", smoke=True)
    parser.add_argument("--out", type=Path, help="also write it here, sealed with a manifest")
    return run_script(parser, arguments, _run)


def _run(job: Job) -> None:
    if not job.recipe.settings.distils:
        print(
            f"recipe {job.recipe.name} has no teacher of words: "
            "--set distillation.share=0.5 gives it one"
        )
        return
    folder = train(job)
    print(f"targets in {folder / TARGETS}; {FINISHED} says what they were made with")
    if job.options.out is not None:
        publish(folder, _shared(job).spec, job.options.out, weights=TARGETS)


if __name__ == "__main__":
    run_command(main)
