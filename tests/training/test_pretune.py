"""Pre-tuning on the words of other corpora."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stream.errors import UserError
from training import pretune
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.datasets.pretuning import balanced, gather
from training.learning.learner import LORA, build_learner, lora_parameters
from training.learning.provenance import FINISHED
from training.learning.shipped import publish
from training.recipe import read_recipe
from training.script import Job
from training.smoke import Smoke


@pytest.fixture
def job(smoke: Smoke, tmp_path: Path) -> Job:
    """Of the smoke recipe, with nothing trained."""
    return Job(smoke.recipe, smoke.data, tmp_path / "runs", tmp_path / "cache")


def comment(name: str, text: str, emotion: str) -> Dialogue:
    """A comment of GoEmotions."""
    return Dialogue(name, (DialogueUtterance(name, 0, name, text, emotion, None, None),))


def test_balanced() -> None:
    """No label has more than its share, and comments without a label are left out."""
    comments = [comment(str(i), "x", ("joy", "joy", "fear", "")[i % 4]) for i in range(40)]
    chosen = balanced(comments, 8, random.Random(1))
    assert Counter(one.utterances[0].emotion for one in chosen) == {"joy": 8, "fear": 8}


def test_gather() -> None:
    """Every comment is a turn of exactly one dialogue, with those of like length."""
    comments = [comment(str(i), "word " * (i % 5), "joy") for i in range(11)]
    dialogues = gather(comments, 4, random.Random(1))
    assert [len(one.utterances) for one in dialogues] == [4, 4, 3]
    turns = [turn for one in dialogues for turn in one.utterances]
    assert sorted(turn.speaker for turn in turns) == sorted(one.id for one in comments)
    lengths = [len(turn.text) for turn in turns]
    assert lengths == sorted(lengths)


def test_stages_start_from_it(job: Job) -> None:
    """LoRA is not the fresh one, and a learner that starts there has it."""
    folder = pretune.pretuned(job)
    assert folder is not None
    saved = load_file(folder / LORA)
    learner = build_learner(job.recipe, start=folder)
    assert all(torch.isfinite(one).all() for one in saved.values())
    assert any(one.abs().sum() > 0 for name, one in saved.items() if "lora_B" in name)
    assert sum(one.numel() for one in lora_parameters(learner)) == sum(
        one.numel() for one in saved.values()
    )


def test_shared_by_recipes_and_seeds(job: Job) -> None:
    """Another seed, corpus or stage takes the same folder; another base or prompt does not."""
    emorynlp = read_recipe("emorynlp")
    compact = read_recipe("compact")
    assert emorynlp.spec.labels != compact.spec.labels
    folders = [
        pretune.folder_of(dataclasses.replace(job, recipe=one, seed=seed))
        for one, seed in (
            (compact, 1),
            (compact, 2),
            (emorynlp, 1),
            (compact.with_settings(stage2={"text_epochs": 1}), 1),
        )
    ]
    assert len(set(folders)) == 1
    other = compact.with_spec(prompt={"cue": " =>"})
    assert pretune.folder_of(dataclasses.replace(job, recipe=other)) not in folders


def test_a_narrower_lora_serves_wider_recipes(job: Job) -> None:
    """Recipes whose LoRA differs share a pre-tuning that names its own, at the same scale."""
    wide = job.recipe.with_spec(llm={"lora_rank": 8, "lora_alpha": 16})
    small = {"lora_rank": 2, "lora_first_layer": 1}
    one, other = (
        dataclasses.replace(job, recipe=recipe.with_settings(pretune=small))
        for recipe in (job.recipe, wide)
    )
    llm = pretune.shared_recipe(other.recipe).spec.llm
    assert (llm.lora_rank, llm.lora_alpha, llm.lora_first_layer) == (2, 4, 1)
    folder = pretune.pretuned(one)
    assert folder == pretune.pretuned(other)
    assert folder is not None
    begun = dict(build_learner(other.recipe, start=folder).model.llm.named_parameters())
    for name, value in load_file(folder / LORA).items():
        part = begun[name][tuple(slice(size) for size in value.shape)]
        torch.testing.assert_close(part, value.float())


def test_done_once(job: Job) -> None:
    """A second call trains nothing."""
    first = pretune.train(job)
    written = (first / LORA).stat().st_mtime_ns
    assert (first / FINISHED).exists()
    assert pretune.train(dataclasses.replace(job, seed=2)) == first
    assert (first / LORA).stat().st_mtime_ns == written


def test_shipped(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sealed copy is taken by a job without any of the corpora; not if it was changed."""
    shipped = tmp_path / "bundles" / "pretuned"
    publish(pretune.train(job), job.spec, shipped)
    monkeypatch.setattr("training.learning.shipped.SHIPPED", shipped.parent)
    other = dataclasses.replace(job, data=tmp_path / "none", cache=tmp_path / "other")
    assert pretune.pretuned(other) == shipped
    assert pretune.find(dataclasses.replace(other, seed=3)) == shipped
    longer = job.recipe.with_settings(pretune={"epochs": 2})
    assert pretune.find(dataclasses.replace(other, recipe=longer)) is None
    (shipped / LORA).write_bytes((shipped / LORA).read_bytes() + b"x")
    with pytest.raises(UserError, match="differs from its manifest"):
        pretune.pretuned(other)


@pytest.mark.parametrize("name", ["compact", "emorynlp"])
def test_the_recipes_need_no_pretuning(name: str, tmp_path: Path) -> None:
    """What they ask for is in this repository."""
    job = Job(read_recipe(name), tmp_path, tmp_path / "runs", tmp_path / "cache")
    found = pretune.pretuned(job)
    assert found is not None
    assert found.name == "pretuned"


def test_without_corpus(job: Job) -> None:
    """A missing corpus is named before the model is loaded."""
    recipe = job.recipe.with_settings(pretune={"corpora": ["dailydialog"]})
    with pytest.raises(UserError, match=r"dailydialog: no such folder"):
        pretune.train(dataclasses.replace(job, recipe=recipe))


def test_none(job: Job) -> None:
    """A recipe without pre-tuning starts from the base."""
    recipe = job.recipe.with_settings(pretune={"epochs": 0})
    assert pretune.pretuned(dataclasses.replace(job, recipe=recipe)) is None
