"""Several trainings of the text epochs, averaged."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stream.errors import UserError
from training import stage2
from training.learning import members
from training.learning.learner import FUSION, LORA
from training.learning.provenance import PROVENANCE
from training.script import Job

WORDS = {"members": 2, "text_epochs": 1, "composed_epochs": 0, "clip_epochs": 0}


@pytest.fixture
def job(tiny_job: Job, tmp_path: Path) -> Job:
    """Words alone, from two seeds, after pre-tuning, without stage 1."""
    recipe = tiny_job.recipe.with_settings(
        stage2=WORDS, stage1={"epochs": 0}, pretune={"epochs": 1}
    )
    for part in ("face", "speech"):
        (tmp_path / part).symlink_to(tiny_job.runs / part)
    return dataclasses.replace(tiny_job, recipe=recipe, runs=tmp_path)


def test_mean() -> None:
    """Each tensor is averaged, and stays in half precision."""
    weights = [{"a": torch.tensor([one, 2.0]).half()} for one in (1.0, 3.0)]
    mean = members.mean_of(weights)["a"]
    assert mean.tolist() == [2.0, 2.0]
    assert mean.dtype == torch.float16


def test_seeds_differ(job: Job) -> None:
    """No member of any seed of the whole has the seed of another."""
    seeds = [
        members.member_job(dataclasses.replace(job, seed=seed), number).seed
        for seed in (1, 2, 3)
        for number in (1, 2)
    ]
    assert len(set(seeds)) == 6


def test_words_alone(job: Job) -> None:
    """Where nothing follows, the result is the average of members that differ."""
    stage2.train(job)
    one, two = (load_file(job.runs / f"words/{number}/stage2" / LORA) for number in (1, 2))
    result = load_file(job.runs / "stage2" / LORA)
    name = next(key for key in one if "lora_B" in key)
    assert not torch.equal(one[name], two[name])
    torch.testing.assert_close(result[name], members.mean_of([one, two])[name])
    assert (job.runs / "stage2" / FUSION).exists()
    document = json.loads((job.runs / members.FOLDER / PROVENANCE).read_text())
    assert [epoch["name"] for epoch in document["epochs"]] == ["stage 2, words 1/1"] * 2


def test_goes_on_from_the_average(job: Job) -> None:
    """Epochs with faces and voices start at the average, and have no words epoch again."""
    recipe = job.recipe.with_settings(stage2={"composed_epochs": 1})
    job = dataclasses.replace(job, recipe=recipe)
    stage2.train(job)
    assert stage2.start_of(job) == job.runs / members.FOLDER
    document = json.loads((job.runs / "stage2" / PROVENANCE).read_text())
    assert [epoch["name"] for epoch in document["epochs"]] == ["stage 2, composed 1/1"]


def test_finished_members_are_kept(job: Job) -> None:
    """A second call trains no member again."""
    stage2.train(job)
    paths = [job.runs / f"words/{number}/stage2" / LORA for number in (1, 2)]
    written = [path.stat().st_mtime_ns for path in paths]
    stage2.train(job)
    assert [path.stat().st_mtime_ns for path in paths] == written


def test_a_shipped_member_is_taken(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that travels with the code is not trained again; the others are."""
    monkeypatch.setattr("training.learning.shipped.SHIPPED", tmp_path / "bundles")
    out = tmp_path / "bundles" / "words-2"
    stage2.train(dataclasses.replace(job, options=argparse.Namespace(member=2, out=out)))
    elsewhere = dataclasses.replace(job, runs=tmp_path / "elsewhere")
    elsewhere.runs.mkdir()
    for part in ("face", "speech"):
        (elsewhere.runs / part).symlink_to(job.runs / part)
    stage2.train(elsewhere)
    assert (elsewhere.runs / "words/1/stage2" / LORA).exists()
    assert not (elsewhere.runs / "words/2").exists()
    one, two = load_file(elsewhere.runs / "words/1/stage2" / LORA), load_file(out / LORA)
    mean = load_file(elsewhere.runs / members.FOLDER / LORA)
    assert all(torch.equal(members.mean_of([one, two])[name], mean[name]) for name in mean)


def test_one_member(job: Job) -> None:
    """A member trained by itself is the one that the whole takes."""
    alone = dataclasses.replace(job, options=argparse.Namespace(member=2))
    stage2.train(alone)
    path = job.runs / "words/2/stage2" / LORA
    written = path.stat().st_mtime_ns
    assert not (job.runs / "words/1").exists()
    stage2.train(job)
    assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize("member", [-1, 3])
def test_no_such_member(job: Job, member: int) -> None:
    """The message says which there are."""
    alone = dataclasses.replace(job, options=argparse.Namespace(member=member))
    with pytest.raises(UserError, match=f"--member {member}: the recipe has members 1 to 2"):
        stage2.train(alone)


def test_no_common_start(job: Job) -> None:
    """Trainings that began apart have no average of use."""
    with pytest.raises(ValueError, match="began apart"):
        job.recipe.with_settings(pretune={"epochs": 0})


def test_a_member_depends_on_words_alone(job: Job) -> None:
    """Another speech encoder or other shares of composition do not make it another training."""
    changed = job.recipe.with_spec(audio={"hidden": 8}).with_settings(
        stage2={"composed_share": 0.1}, dropout={"text": 0.5}
    )
    assert members.words_recipe(changed) == members.words_recipe(job.recipe)
    other = job.recipe.with_settings(stage2={"noise_rate": 0.1})
    assert members.words_recipe(other) != members.words_recipe(job.recipe)


def test_bundle_before_stage2(job: Job) -> None:
    """What is missing is named with what makes it."""
    with pytest.raises(UserError, match=r"words/lora\.safetensors is missing: run python -m"):
        stage2.start_of(job)
