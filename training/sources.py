"""The sequences that a recipe's epochs are made of, each computed when first asked for."""

from __future__ import annotations

import functools
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.model.encoders import Encoders
from engine.model.prompt import PromptBuilder
from engine.model.recognizer import without
from engine.model.spec import ModelSpec
from stream.errors import UserError
from training import distil
from training.clips.prepare import hash_media
from training.composition.banks import face_bank, voice_bank
from training.composition.compose import Banks, compose, drop_modalities, solo_sequences
from training.composition.corpora import CompactCorpora
from training.datasets.corpus import Corpus
from training.datasets.dialogues import Dialogue, cut
from training.datasets.fer2013 import read_fer2013
from training.datasets.speech import find_speech, speaker_split
from training.describe.description import Description
from training.describe.records import DESCRIPTIONS, read_descriptions
from training.encoders import load_encoders
from training.learning.runtime import Runtime
from training.learning.sequences import (
    DescribedSequence,
    TrainingSequence,
    described_sequences,
    in_context,
    label_targets,
    text_sequence,
)
from training.preprocess import encode_dialogues, prepare
from training.script import Job
from training.transcription_noise import degrade_dialogue

FACES_PER_LABEL = 2500
"""Pictures of a label that composition draws from."""


def clip_keys(
    dialogues: Sequence[Dialogue], spec: ModelSpec, cache: Path
) -> list[tuple[str | None, ...]]:
    """Key of every utterance's prepared clip, by dialogue; None without a clip."""
    keys = iter(prepare(dialogues, spec, cache, jobs=1).keys)
    return [
        tuple(next(keys) if utterance.clip else None for utterance in dialogue.utterances)
        for dialogue in dialogues
    ]


class Sources:
    """Of one job: its corpus, its encoders and its descriptions.

    Args:
        job: Says where they are.
        corpus: Of the job's recipe, as the job opens it.
        prompt: Counts tokens, to cut dialogues as the context is cut live.
        runtime: Whose processes encode clips, on their devices.
    """

    def __init__(self, job: Job, corpus: Corpus, prompt: PromptBuilder, runtime: Runtime) -> None:
        self._job = job
        self._prompt = prompt
        self._runtime = runtime
        self.corpus = corpus
        # Of this object, not of the class: an ablation makes one for every training.
        self.clips = functools.cache(self._clips)
        self.described = functools.cache(self._described)

    def words(self, split: str) -> list[TrainingSequence]:
        """Dialogues with words alone."""
        labels = self._job.spec.labels
        return self._fit([text_sequence(one, labels) for one in self._dialogues(split)])

    def heard_words(self, rng: random.Random) -> list[TrainingSequence]:
        """Training dialogues with words alone: some in two, some as a recogniser writes them."""
        share = self._job.recipe.settings.stage2.cut_share
        heard = [self._heard(one, rng) for one in self._dialogues("train")]
        parts = [part for one in heard for part in cut(one, share, rng)]
        return self._fit([self._taught(part) for part in parts])

    def _taught(self, dialogue: Dialogue) -> TrainingSequence:
        """Words alone, with targets that are the teacher's in part, if there is one."""
        own = text_sequence(dialogue, self._job.spec.labels)
        share = self._job.recipe.settings.distillation.share
        if not share:
            return own
        rows = [self._teachers[dialogue.id, u.utterance_id] for u in dialogue.utterances]
        mixed = own.targets.lerp(torch.stack(rows), share)
        return replace(own, targets=mixed * own.targets.sum(1, keepdim=True))  # context stays

    @functools.cached_property
    def _teachers(self) -> dict[tuple[str, int], Tensor]:
        """What the teacher says of every training turn, by dialogue and utterance id."""
        dialogues = self._dialogues("train")
        given = distil.read_targets(self._job, dialogues)
        return {
            (one.id, utterance.utterance_id): row
            for one in dialogues
            for utterance, row in zip(one.utterances, given[one.id], strict=True)
        }

    def _heard(self, dialogue: Dialogue, rng: random.Random) -> Dialogue:
        settings = self._job.recipe.settings.stage2
        if rng.random() >= settings.noisy_share:
            return dialogue
        return degrade_dialogue(dialogue, rng.uniform(0, settings.noise_rate), rng)

    def _clips(self, split: str) -> list[TrainingSequence]:
        """Dialogues of a split with their own pictures and sound, as in the paper.

        Raises:
            UserError: the split has no clips.
        """
        job, runtime, dialogues = self._job, self._runtime, self._dialogues(split)
        encoders = self._encoders
        if not any(u.clip for dialogue in dialogues for u in dialogue.utterances):
            raise UserError(
                f"{job.corpus_folder} has no clips of its {split} split, and the recipe's "
                "stage2.clip_epochs needs them: see docs/data.md for where they belong"
            )
        jobs = max(1, job.jobs // runtime.local_processes)  # readers are on the same cores
        # One process hashes the files; each encodes a part into the cache; then all read
        # everything from there.
        if runtime.processes > 1:
            if runtime.is_main:
                hash_media(dialogues, job.cache, job.jobs)
            runtime.wait()
            encode_dialogues(runtime.share(dialogues), encoders, job.cache, jobs)
            runtime.wait()
        turns = encode_dialogues(dialogues, encoders, job.cache, jobs)
        trained = job.recipe.settings.stage2.encoder_learning_rate > 0
        keys = clip_keys(dialogues, job.spec, job.cache) if trained else [()] * len(dialogues)
        return self._fit(
            [
                TrainingSequence(own, label_targets(dialogue, job.spec.labels), clips)
                for dialogue, own, clips in zip(dialogues, turns, keys, strict=True)
            ]
        )

    def dropped_clips(self, rng: random.Random) -> list[TrainingSequence]:
        """Training clips with modalities dropped at random."""
        dropout = self._job.recipe.settings.dropout
        return [drop_modalities(sequence, dropout, rng) for sequence in self.clips("train")]

    def composed(self, rng: random.Random) -> list[TrainingSequence]:
        """Training dialogues with voices and faces of other corpora, and some without words."""
        stage, dropout = self._job.recipe.settings.stage2, self._job.recipe.settings.dropout
        mismatched = self._job.recipe.settings.composition.mismatched
        dialogues = self._dialogues("train")
        chosen = rng.sample(dialogues, round(len(dialogues) * stage.composed_share))
        heard = (self._heard(dialogue, rng) for dialogue in chosen)
        sequences = self._fit([compose(one, self._banks, rng, mismatched) for one in heard])
        return [
            *(drop_modalities(sequence, dropout, rng) for sequence in sequences),
            *self._ablated(solo_sequences(self._banks, stage.solo_sequences, rng)),
        ]

    def _described(self, split: str) -> list[DescribedSequence]:
        """Dialogues with placeholders and descriptions, for stage 1.

        Raises:
            UserError: no utterance of the split is described.
        """
        job, path = self._job, self.descriptions
        found: dict[str, dict[int, Description]] = defaultdict(dict)
        for key, description in read_descriptions(path).items():
            if (key.corpus, key.split) == (self.corpus.name, split):
                found[key.dialogue][key.utterance] = description
        parts = job.recipe.settings.stage1.parts
        made = [
            sequence
            for dialogue in self._dialogues(split)
            for sequence in described_sequences(
                dialogue, found[dialogue.id], parts, self._prompt, job.spec
            )
        ]
        if not made:
            raise UserError(
                f"{path} describes no utterance of {self.corpus.name} {split}: run "
                f"python -m training.describe {job.recipe.name} --splits {split}"
            )
        return made

    @property
    def descriptions(self) -> Path:
        """The teacher's file."""
        return getattr(self._job.options, "descriptions", None) or self._job.runs / DESCRIPTIONS

    @functools.cached_property
    def _encoders(self) -> Encoders:
        return load_encoders(self._job.spec, self._job.runs).to(self._runtime.device)

    @functools.cached_property
    def _banks(self) -> Banks:
        """Voices of the training speakers, scored out of fold, and augmented training faces."""
        job = self._job
        corpora, encoders = CompactCorpora.below(job.data), load_encoders(job.spec, job.runs)
        clips, _ = speaker_split(find_speech(corpora.speech))
        unseen = load_file(job.runs / "speech" / "out_of_fold.safetensors")
        faces = read_fer2013(corpora.faces, usage="Training")
        return Banks(
            voices=voice_bank(encoders, clips, job.cache, unseen),
            faces=face_bank(encoders, faces, limit=FACES_PER_LABEL, seed=job.seed),
        )

    def _dialogues(self, split: str) -> tuple[Dialogue, ...]:
        return self.corpus.splits[split]

    def _fit(self, sequences: Sequence[TrainingSequence]) -> list[TrainingSequence]:
        """Without the modalities that are ablated, cut to the context."""
        left = self._ablated(sequences)
        return [part for one in left for part in in_context(one, self._prompt)]

    def _ablated(self, sequences: Sequence[TrainingSequence]) -> list[TrainingSequence]:
        absent = self._job.recipe.settings.stage2.without
        return [
            replace(one, turns=tuple(without(turn, *absent) for turn in one.turns))
            for one in sequences
        ]
