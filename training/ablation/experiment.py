"""Train every variant with every seed, and predict dev with each.

Below the runs folder:

    face/ speech/ descriptions.jsonl     made once, for all
    ablation/stage1-KEY/stage1/          stage 1, once for all variants that have the same
    ablation/VARIANT-seedN/              a runs folder of its own, with links to the above:
        stage2/ predictions.json

All of it resumes. Several processes may work on the same folder: what one is at, another
leaves for later, and does not do again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from training import encoders, stage1, stage2
from training.ablation.dev import predict_dev
from training.ablation.folders import alone, claim, digest, file_digest, link, measure_anew
from training.ablation.outcome import PREDICTIONS, Outcome, read_outcome, write_predictions
from training.ablation.sample import Sample, fingerprint
from training.ablation.variants import Variant, has_stage1, learns_behaviour, uses_encoders
from training.datasets.corpus import Corpus
from training.describe.records import DESCRIPTIONS
from training.learning.learner import owner
from training.learning.provenance import FINISHED
from training.progress import console
from training.recipe import Recipe
from training.run import describe
from training.script import Job

FOLDER = "ablation"
"""Below the runs folder."""


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
        return self.sample.of(self.job.open_corpus())

    @property
    def _whole(self) -> Job:
        """The job with the corpus that is used."""
        return replace(self.job, corpus=self.corpus)

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
        found = self.finished()
        if any(len(by_seed) < len(self.seeds) for by_seed in found.values()):
            self._share()
            self._train_all()
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
        with alone(self.root / "shared"):
            if any(uses_encoders(recipe) for recipe in recipes):
                console.rule("encoders, for all variants")
                encoders.prepare(self._whole)
            if teacher and not given and any(learns_behaviour(recipe) for recipe in recipes):
                console.rule("behaviour descriptions, for all variants")
                describe(self._whole)

    def _train_all(self) -> None:
        # Seed by seed, so that what is there after an interruption is a table already.
        left = [(variant, seed) for seed in self.seeds for variant in self.variants]
        for wait in (False, True):
            count, later = len(left), []
            for number, (variant, seed) in enumerate(left, start=1):
                console.rule(f"{number}/{count} {variant.name}, seed {seed}")
                if not self._train(variant, seed, wait=wait):
                    later.append((variant, seed))
            left = later

    def _train(self, variant: Variant, seed: int, *, wait: bool) -> bool:
        """Train and predict; False where another process is at it and is not waited for."""
        recipe, folder = self.recipe(variant), self._folder(variant, seed)
        identity = self._identity(recipe, seed)
        with alone(folder, wait=wait) as free:
            if not free:
                return False
            if read_outcome(folder, seed, identity) is not None:
                console.print("done before")
                return True
            claim(folder, identity)
            job = self._job(recipe, seed, folder)
            if has_stage1(recipe):
                link(folder / "stage1", self._stage1(recipe, seed))
            measure_anew()
            stage2.train(job)
            predictions, ids = predict_dev(job, self.corpus.splits["dev"])
            write_predictions(folder / PREDICTIONS, predictions, ids, identity)
            return True

    def _stage1(self, recipe: Recipe, seed: int) -> Path:
        """Stage 1 of a recipe, trained if no variant before had the same."""
        parts = [owner(recipe, "stage1", seed), *self._surroundings(recipe)]
        folder = self.root / f"stage1-{digest(parts)[:16]}"
        with alone(folder):
            if not (folder / "stage1" / FINISHED).exists():  # written last
                folder.mkdir(parents=True, exist_ok=True)
                measure_anew()
                stage1.train(self._job(recipe, seed, folder))
        return folder / "stage1"

    def _job(self, recipe: Recipe, seed: int, folder: Path) -> Job:
        """Of one training: with the shared encoders and descriptions."""
        options = argparse.Namespace(**vars(self.job.options))
        options.descriptions = self.descriptions
        if uses_encoders(recipe):
            for weights in (encoders.face_weights, encoders.speech_weights):
                made = weights(self.job.runs).parent
                link(folder / made.name, made)
        return replace(self._whole, recipe=recipe, runs=folder, seed=seed, options=options)

    def _folder(self, variant: Variant, seed: int) -> Path:
        return self.root / f"{variant.name}-seed{seed}"

    def _identity(self, recipe: Recipe, seed: int) -> str:
        """All that changes the predictions of a training."""
        first = owner(recipe, "stage1", seed) if learns_behaviour(recipe) else ""
        return digest([first, owner(recipe, "stage2", seed), *self._surroundings(recipe)])

    def _surroundings(self, recipe: Recipe) -> list[str]:
        """What a training depends on besides its recipe's stages."""
        described = file_digest(self.descriptions) if learns_behaviour(recipe) else ""
        weights = (encoders.face_weights(self.job.runs), encoders.speech_weights(self.job.runs))
        encoded = [file_digest(path) for path in weights] if uses_encoders(recipe) else []
        accumulate = str(recipe.settings.trainer.accumulate)
        return [self._data, accumulate, described, *encoded]

    @cached_property
    def _data(self) -> str:
        return fingerprint(self.corpus)
