"""Train every variant with every seed, and predict dev with each.

Below the runs folder:

    face/ speech/ descriptions.jsonl     made once, for all
    ablation/stage1-KEY/stage1/          stage 1, once for all variants that have the same
    ablation/VARIANT-seedN/              a runs folder of its own, with links to the above:
        stage2/ predictions.json

All of it resumes. Several processes may work on the same folder, each with other variants
or seeds: what one is at, another waits for and does not do again.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from filelock import FileLock, Timeout

from stream.errors import UserError
from training import encoders, stage1, stage2
from training.ablation.dev import predict_dev
from training.ablation.outcome import (
    PREDICTIONS,
    Outcome,
    other_training,
    read_outcome,
    write_json,
    write_predictions,
)
from training.ablation.sample import Sample, fingerprint, only_sampled
from training.ablation.variants import Variant, has_stage1, learns_behaviour, uses_encoders
from training.datasets.corpus import Corpus
from training.describe.run import describe_recipe
from training.learner import owner
from training.progress import console
from training.provenance import PROVENANCE
from training.recipe import Recipe
from training.script import Job
from training.sources import DESCRIPTIONS

FOLDER = "ablation"
"""Below the runs folder."""
RUN = "run.json"
"""Identifies what a folder was begun for, before there are predictions."""


@dataclass(frozen=True)
class Experiment:
    """Variants and seeds of one job."""

    job: Job
    """Its recipe is `full`; its seed is of the encoders, which all trainings share."""
    variants: Sequence[Variant]
    seeds: Sequence[int]
    sample: Sample

    @cached_property
    def corpus(self) -> Corpus:
        """What is trained and scored on.

        Raises:
            UserError: it lacks its train or dev split.
        """
        corpus = self.sample.open(self.job.recipe.corpus, self.job.corpus_folder)
        for split in ("train", "dev"):
            if not corpus.splits.get(split):
                raise UserError(f"{self.job.corpus_folder} has no {split} split: see docs/data.md")
        return corpus

    @property
    def root(self) -> Path:
        """Where the trainings lie."""
        return self.job.runs / FOLDER

    @property
    def descriptions(self) -> Path:
        """The teacher's file."""
        return getattr(self.job.options, "descriptions", None) or self.job.runs / DESCRIPTIONS

    def recipe(self, variant: Variant) -> Recipe:
        """As a variant changes it."""
        return variant.change(self.job.recipe)

    def run(self) -> dict[str, list[Outcome]]:
        """Do what is not done yet; by variant, in the order of the seeds.

        Raises:
            UserError: as the trainings do. What is finished stays and is not repeated.
        """
        with only_sampled(self.sample):
            self._share()
            trainings = [(seed, variant) for seed in self.seeds for variant in self.variants]
            for number, (seed, variant) in enumerate(trainings, start=1):
                console.rule(f"{number}/{len(trainings)} {variant.name}, seed {seed}")
                self._train(variant, seed)
        found = self.finished()
        return {name: [by_seed[seed] for seed in self.seeds] for name, by_seed in found.items()}

    def finished(self) -> dict[str, dict[int, Outcome]]:
        """What is there already, by variant and seed.

        Raises:
            UserError: it was made with another recipe, corpus, sample, teacher or encoder.
        """
        found: dict[str, dict[int, Outcome]] = {}
        for variant in self.variants:
            recipe = self.recipe(variant)
            read = {
                seed: read_outcome(self._folder(variant, seed), seed, self._identity(recipe, seed))
                for seed in self.seeds
            }
            found[variant.name] = {seed: one for seed, one in read.items() if one is not None}
        return found

    def _share(self) -> None:
        """Encoders and descriptions, as far as any variant needs them."""
        recipes = [self.recipe(variant) for variant in self.variants]
        teacher = self.job.recipe.settings.teacher.kind != "none"
        given = getattr(self.job.options, "descriptions", None) is not None
        with _alone(self.root / "shared"):
            if any(uses_encoders(recipe) for recipe in recipes):
                console.rule("encoders, for all variants")
                encoders.prepare(self.job)
            if teacher and not given and any(learns_behaviour(recipe) for recipe in recipes):
                console.rule("behaviour descriptions, for all variants")
                self._describe()

    def _describe(self) -> None:
        summary = describe_recipe(self.job.recipe, self.job.data, self.descriptions)
        console.print(
            f"{summary.described} described, {summary.failed} failed, {summary.kept} kept"
        )
        if summary.done < summary.total:
            raise UserError("stopped; the same command goes on where it was")

    def _train(self, variant: Variant, seed: int) -> None:
        recipe, folder = self.recipe(variant), self._folder(variant, seed)
        identity = self._identity(recipe, seed)
        with _alone(folder):
            if read_outcome(folder, seed, identity) is not None:
                console.print("done before")
                return
            _claim(folder, identity)
            job = self._job(recipe, seed, folder)
            if has_stage1(recipe):
                link(folder / "stage1", self._stage1(recipe, seed))
            _measured_alone()
            stage2.train(job)
            predictions, ids = predict_dev(job, self.corpus.splits["dev"])
            write_predictions(folder / PREDICTIONS, predictions, ids, identity)

    def _stage1(self, recipe: Recipe, seed: int) -> Path:
        """Stage 1 of a recipe, trained if no variant before had the same."""
        parts = [owner(recipe, "stage1", seed), *self._surroundings(recipe)]
        folder = self.root / f"stage1-{_digest(parts)[:16]}"
        with _alone(folder):
            if not (folder / "stage1" / PROVENANCE).exists():  # written last
                folder.mkdir(parents=True, exist_ok=True)
                _measured_alone()
                stage1.train(self._job(recipe, seed, folder))
        return folder / "stage1"

    def _job(self, recipe: Recipe, seed: int, folder: Path) -> Job:
        """Of one training: with the shared encoders and descriptions."""
        options = argparse.Namespace(**vars(self.job.options))
        options.descriptions = self.descriptions
        for name in ("face", "speech"):
            if uses_encoders(recipe):
                link(folder / name, self.job.runs / name)
        return replace(self.job, recipe=recipe, runs=folder, seed=seed, options=options)

    def _folder(self, variant: Variant, seed: int) -> Path:
        return self.root / f"{variant.name}-seed{seed}"

    def _identity(self, recipe: Recipe, seed: int) -> str:
        """All that changes the predictions of a training."""
        first = owner(recipe, "stage1", seed) if learns_behaviour(recipe) else ""
        return _digest([first, owner(recipe, "stage2", seed), *self._surroundings(recipe)])

    def _surroundings(self, recipe: Recipe) -> list[str]:
        """What a training depends on besides its recipe's stages."""
        described = _file_digest(self.descriptions) if learns_behaviour(recipe) else ""
        weights = (encoders.face_weights(self.job.runs), encoders.speech_weights(self.job.runs))
        encoded = [_file_digest(path) for path in weights] if uses_encoders(recipe) else []
        accumulate = str(recipe.settings.trainer.accumulate)
        return [self._data, accumulate, described, *encoded]

    @cached_property
    def _data(self) -> str:
        return fingerprint(self.corpus)


def link(place: Path, target: Path) -> None:
    """Make a folder appear in another place, by a relative symbolic link."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(os.path.relpath(target, place.parent), target_is_directory=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from the folder meanwhile, or wait for the one that is at it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(folder.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        console.print(f"another process is at {folder}: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _claim(folder: Path, identity: str) -> None:
    """Refuse a folder that was begun for another training.

    Stage 2's own checkpoint knows its recipe, but not the stage 1 and the data before it.
    """
    path = folder / RUN
    if not path.exists():
        write_json(path, {"owner": identity})
    elif json.loads(path.read_text(encoding="utf-8")) != {"owner": identity}:
        raise other_training(folder)


def _measured_alone() -> None:
    """Forget the training before, so that memory that is measured is the next one's.

    On Linux the peak of the process is set back to what it holds now (proc(5), clear_refs);
    elsewhere it stays that of all trainings up to now.
    """
    gc.collect()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    """SHA-256 of a file; of nothing where it is not there, as before it was made."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
