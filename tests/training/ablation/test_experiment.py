"""Real trainings of variants: shared work is done once, and nothing finished is repeated."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from stream.errors import UserError
from training.ablation import experiment as module
from training.ablation.experiment import Experiment
from training.ablation.sample import Sample
from training.ablation.variants import VARIANTS, Variant
from training.describe.description import PARTS
from training.script import Job
from training.smoke import Smoke

SLOWER = Variant(
    "slower", "", lambda r: r.with_settings(stage2={"learning_rate": 1e-4}), lambda r: ""
)
"""Has the stage 1 of `full`."""


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher's file with a description for every utterance of the synthesised corpus."""
    path = tmp_path_factory.mktemp("teacher") / "descriptions.jsonl"
    lines = [
        json.dumps(
            {
                "corpus": "meld", "split": split, "dialogue": str(dialogue),
                "utterance": utterance, "model": "none", "prompt_version": "1",
                "frames": "0" * 64, "attempts": 1, "created": "2026-01-01T00:00:00Z",
                "description": dict.fromkeys(PARTS, f"moves {utterance} times"),
            }
        )
        for split, dialogues in (("train", 12), ("dev", 6))
        for dialogue in range(dialogues)
        for utterance in range(4)
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    return path


def make(
    smoke: Smoke,
    described: Path,
    runs: Path,
    names: Sequence[str],
    *,
    stage1: int = 0,
    **stage2: object,
) -> Experiment:
    """Words alone, so that no clip is read, after so many epochs of a stage 1 that learns fast."""
    torch.set_num_threads(1)
    recipe = smoke.recipe.with_settings(
        stage1={"epochs": stage1, "learning_rate": 1e-2, "batch_tokens": 500},
        stage2={"composed_epochs": 0, "clip_epochs": 0, "batch_tokens": 200, **stage2},
    )
    job = Job(
        recipe, smoke.data, runs, runs / "cache", options=argparse.Namespace(descriptions=described)
    )
    variants = [VARIANTS.get(name, SLOWER) for name in names]
    return Experiment(job, variants, (1,), Sample(train=8))


def stage_1_folders(experiment: Experiment) -> list[Path]:
    """Where a stage 1 was trained."""
    return [path for path in experiment.root.glob("stage1-*") if path.is_dir()]


def test_what_is_the_same_is_trained_once(
    smoke: Smoke, described: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One stage 1 for two variants, none for the baseline; then all is there and stays."""
    names = ("full", "slower", "without-behaviour")
    first = make(smoke, described, tmp_path, names, stage1=1)
    outcomes = first.run()
    assert list(outcomes) == list(names)
    (shared,) = stage_1_folders(first)
    for name in ("full", "slower"):
        link_to = first.root / f"{name}-seed1" / "stage1"
        assert link_to.resolve() == (shared / "stage1").resolve()
        assert set(outcomes[name][0].costs) == {"stage1", "stage2"}
    assert not (first.root / "without-behaviour-seed1" / "stage1").exists()
    assert set(outcomes["without-behaviour"][0].costs) == {"stage2"}
    assert not (tmp_path / "face").exists()  # words alone need no encoder

    full, slower, baseline = (outcomes[name][0].predictions for name in names)
    for other in (slower, baseline):
        assert np.array_equal(full.dialogues, other.dialogues)
        assert not np.allclose(full.probabilities, other.probabilities)
    record = json.loads((first.root / "full-seed1" / "stage2" / "training.json").read_text())
    chosen = max(epoch["dev"] for epoch in record["epochs"])
    assert full.scores().weighted_f1 == pytest.approx(chosen, abs=1e-3)

    def must_not(*arguments: object) -> None:
        raise AssertionError("trained again")

    for stage in (module.stage1, module.stage2):
        monkeypatch.setattr(stage, "train", must_not)
    again = make(smoke, described, tmp_path, names, stage1=1).run()
    assert np.array_equal(again["full"][0].predictions.probabilities, full.probabilities)


def test_a_kill_costs_nothing_that_is_finished(
    smoke: Smoke, described: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the last predictions are written: the same command does only these."""
    names = ("structured-prompt", "context-1")
    trained: list[str] = []
    real = module.stage2.train

    def counted(job: Job) -> None:
        trained.append(job.runs.name)
        real(job)

    def killed(job: Job, dialogues: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.stage2, "train", counted)
    experiment = make(smoke, described, tmp_path, names[:1])
    experiment.run()
    both = make(smoke, described, tmp_path, names)
    with monkeypatch.context() as patch:
        patch.setattr(module, "predict_dev", killed)
        with pytest.raises(KeyboardInterrupt):
            both.run()
    assert {name: len(runs) for name, runs in both.finished().items()} == {
        "structured-prompt": 1,
        "context-1": 0,
    }
    both.run()
    assert trained == ["structured-prompt-seed1", "context-1-seed1", "context-1-seed1"]


def test_what_another_process_is_at_is_left_for_later(
    smoke: Smoke, described: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are trained first; then it is waited for."""
    trained: list[str] = []
    real = module.stage2.train
    (tmp_path / "ablation").mkdir()
    lock = FileLock(tmp_path / "ablation" / "structured-prompt-seed1.lock")

    def train(job: Job) -> None:
        trained.append(job.runs.name)
        lock.release(force=True)
        real(job)

    monkeypatch.setattr(module.stage2, "train", train)
    with lock:
        outcomes = make(smoke, described, tmp_path, ("structured-prompt", "context-1")).run()
    assert trained == ["context-1-seed1", "structured-prompt-seed1"]
    assert [len(runs) for runs in outcomes.values()] == [1, 1]


def test_another_experiment_is_refused(smoke: Smoke, described: Path, tmp_path: Path) -> None:
    """Other data, another teacher or another recipe in the same folder: nothing is mixed."""
    names = ("structured-prompt",)
    first = make(smoke, described, tmp_path, names)
    first.run()
    for other in (
        make(smoke, described, tmp_path, names, learning_rate=1e-3),
        dataclasses.replace(first, sample=Sample(train=7)),
        dataclasses.replace(first, sample=Sample(train=8, dev=3)),
    ):
        with pytest.raises(UserError, match=r"structured-prompt-seed1 was made with another"):
            other.run()
    (first.root / "structured-prompt-seed1" / "predictions.json").unlink()
    with pytest.raises(UserError, match=r"structured-prompt-seed1 was made with another"):
        dataclasses.replace(first, sample=Sample(train=7)).run()


def test_a_corpus_without_dev_is_named(smoke: Smoke, described: Path, tmp_path: Path) -> None:
    """Before anything is trained."""
    experiment = make(smoke, described, tmp_path, ("full",))
    data = tmp_path / "data" / "meld"
    data.mkdir(parents=True)
    (data / "train_sent_emo.csv").write_bytes(
        (smoke.data / "meld" / "train_sent_emo.csv").read_bytes()
    )
    job = dataclasses.replace(experiment.job, data=data.parent)
    with pytest.raises(UserError, match="has no dev split"):
        dataclasses.replace(experiment, job=job).run()
