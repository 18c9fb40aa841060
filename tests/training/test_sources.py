"""Sequences of a recipe's epochs: what is absent, what is described, what is missing."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import pytest

from engine.model.recognizer import used_modalities
from stream.errors import UserError
from training import sources as sources_module
from training.datasets.corpora import open_corpus
from training.datasets.corpus import Corpus
from training.learning.learner import build_learner
from training.learning.runtime import Runtime
from training.recipe import Recipe
from training.script import Job
from training.sources import DESCRIPTIONS, Sources


def sources_of(job: Job, recipe: Recipe | None = None) -> Sources:
    """Of a job, perhaps with another recipe."""
    job = dataclasses.replace(job, recipe=recipe or job.recipe)
    prompt = build_learner(job.recipe).model.prompt
    runtime = Runtime(job.recipe.settings.trainer, job.runs / "unused")
    return Sources(job, job.open_corpus(), prompt, runtime)


def used(sources: Sources, kind: str) -> set[str]:
    """Modalities that any turn of an epoch has."""
    made = {
        "words": lambda: sources.words("train"),
        "clips": lambda: sources.clips("train"),
        "composed": lambda: sources.composed(random.Random(1)),
    }[kind]()
    return {name for sequence in made for turn in sequence.turns for name in used_modalities(turn)}


@pytest.mark.parametrize("removed", [(), ("audio",), ("video",), ("text",), ("audio", "video")])
def test_what_is_ablated_is_in_no_turn(removed: tuple[str, ...], tiny_job: Job) -> None:
    """Of words, composed turns, turns without words, and clips alike."""
    recipe = tiny_job.recipe.with_settings(stage2={"without": removed, "clip_epochs": 1})
    sources = sources_of(tiny_job, recipe)
    left = {"text", "audio", "video"} - set(removed)
    assert used(sources, "words") == {"text"} & left
    assert used(sources, "composed") == left
    assert used(sources, "clips") == left


def test_clips_are_those_of_their_utterances(tiny_job: Job) -> None:
    """A target and a clip of each turn, in the order of the corpus."""
    sources = sources_of(tiny_job)
    dialogues = open_corpus("meld", tiny_job.corpus_folder).splits["dev"]
    made = sources.clips("dev")
    assert len(made) == len(dialogues)
    for sequence, dialogue in zip(made, dialogues, strict=True):
        assert [turn.text for turn in sequence.turns] == [u.text for u in dialogue.utterances]
        said = [tiny_job.spec.labels[int(row.argmax())] for row in sequence.targets]
        assert said == [u.emotion for u in dialogue.utterances]
        assert all(turn.video is not None and turn.audio is not None for turn in sequence.turns)


def write_descriptions(path: Path, corpus: Corpus, split: str) -> None:
    """One description for the second utterance of each dialogue."""
    lines = []
    for dialogue in corpus.splits[split]:
        line = {
            "corpus": corpus.name,
            "split": split,
            "dialogue": dialogue.id,
            "utterance": dialogue.utterances[1].utterance_id,
            "model": "none",
            "prompt_version": "1",
            "frames": "0" * 64,
            "attempts": 1,
            "created": "2026-01-01T00:00:00Z",
            "description": {
                "facial_expression": "Smiles.",
                "body_language": "",
                "posture": "Sits.",
            },
        }
        lines.append(json.dumps(line))
    path.write_text("\n".join(lines) + "\n")


def test_only_what_is_described_is_learned(tiny_job: Job, tmp_path: Path) -> None:
    """Other turns are context; parts that are left out are not in the targets."""
    path = tmp_path / DESCRIPTIONS
    write_descriptions(path, tiny_job.open_corpus(), "train")
    job = dataclasses.replace(tiny_job, runs=tmp_path)
    tokens = {}
    for parts in (("facial_expression", "body_language", "posture"), ("posture",)):
        sources = sources_of(job, tiny_job.recipe.with_settings(stage1={"parts": parts}))
        made = sources.described("train")
        assert len(made) == len(job.open_corpus().splits["train"])
        tokens[parts] = sum(int((s.prompt.targets >= 0).sum()) for s in made)
    assert 0 < tokens[("posture",)] < tokens[("facial_expression", "body_language", "posture")]
    with pytest.raises(UserError, match=r"describes no utterance of meld dev"):
        sources.described("dev")


@pytest.mark.parametrize(("process", "hashes"), [(0, [8]), (3, [])])
def test_processes_of_a_machine_share_its_cores(
    process: int, hashes: list[int], tiny_job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four with eight readers each has two, and the first alone hashes the media."""
    job = dataclasses.replace(tiny_job, jobs=8)
    sources = sources_of(job)
    runtime = sources._runtime
    runtime.process, runtime.processes, runtime.local_processes = process, 4, 4
    runtime.is_main = process == 0
    hashed, read = [], []

    def note_hashing(dialogues: object, cache: object, jobs: int) -> None:
        hashed.append(jobs)

    def note_reading(dialogues: Any, encoders: object, cache: object, jobs: int) -> Any:
        read.append((len(dialogues), jobs))
        return [()] * len(dialogues)

    monkeypatch.setattr(sources_module, "hash_media", note_hashing)
    monkeypatch.setattr(sources_module, "encode_dialogues", note_reading)
    monkeypatch.setattr(sources, "_fit", list)
    count = len(job.open_corpus().splits["dev"])
    sources.clips("dev")
    assert hashed == hashes
    assert read == [(len(range(process, count, 4)), 2), (count, 2)]
