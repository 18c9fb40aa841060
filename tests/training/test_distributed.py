"""Several processes learn what one does: replicated (DDP) and sharded (FSDP2), over gloo."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stream.errors import UserError
from training import stage2
from training.script import Job, changed
from training.smoke import Smoke

ROOT = Path(__file__).parents[2]
CHANGES = [
    "stage1.epochs=0",
    "stage2.batch_tokens=150",
    "stage2.learning_rate=0.01",
    "trainer.save_every=4",
]
SCRIPTS = {
    "replicated": ["-m", "training.stage2"],
    "sharded": [str(ROOT / "tests/training/sharded_training.py")],
}


@pytest.fixture(scope="module")
def single(smoke: Smoke, tiny_job: Job, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one process."""
    runs = linked_encoders(tiny_job, tmp_path_factory.mktemp("single"))
    recipe = changed(smoke.recipe, CHANGES)
    stage2.train(Job(recipe, smoke.data, runs, tiny_job.cache))
    return runs


def linked_encoders(job: Job, runs: Path) -> Path:
    """A runs folder with the encoders of another."""
    for name in ("face", "speech"):
        (runs / name).symlink_to(job.runs / name)
    return runs


@pytest.mark.slow
@pytest.mark.parametrize("kind", SCRIPTS)
def test_two_processes_do_what_one_does(
    kind: str, single: Path, smoke: Smoke, tiny_job: Job, tmp_path: Path
) -> None:
    """The same updates, losses, dev figures and weights, through words, composed turns, clips."""
    runs = linked_encoders(tiny_job, tmp_path)
    done = started(kind, smoke, tiny_job, runs)
    assert done.returncode == 0, done.stderr[-3000:]
    assert_learned_alike(single, runs)


@pytest.mark.slow
def test_shards_that_were_killed_before_a_figure_on_dev_go_on(
    single: Path, smoke: Smoke, tiny_job: Job, tmp_path: Path
) -> None:
    """What is gathered first of all to score dev is trained after, and ends at the same weights."""
    runs = linked_encoders(tiny_job, tmp_path)
    killed = started("sharded", smoke, tiny_job, runs, KILLED_BEFORE_DEV="1")
    assert killed.returncode != 0
    assert "killed" in killed.stderr
    done = started("sharded", smoke, tiny_job, runs)
    assert done.returncode == 0, done.stderr[-3000:]
    assert_learned_alike(single, runs)


def started(
    kind: str, smoke: Smoke, tiny_job: Job, runs: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Two processes of stage 2."""
    base = smoke.spec.llm.base
    changes = [*CHANGES, f"spec.llm.base={base}", f"distillation.base={base}"]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", *SCRIPTS[kind], "smoke"]
    command += [f"--data={smoke.data}", f"--runs={runs}", f"--cache={tiny_job.cache}"]
    command += ["--threads=1", "--jobs=1", *(f"--set={change}" for change in changes)]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)


def assert_learned_alike(single: Path, runs: Path) -> None:
    """One process and two did the same updates."""
    one, two = (json.loads((r / "stage2/training.json").read_text()) for r in (single, runs))
    assert [epoch["name"] for epoch in two["epochs"]] == [epoch["name"] for epoch in one["epochs"]]
    assert two["stages"][0]["updates"] == one["stages"][0]["updates"] > 10
    for mine, theirs in zip(one["epochs"], two["epochs"], strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], abs=1e-4)
        assert theirs["dev"] == pytest.approx(mine["dev"], abs=1e-6)
    for name in ("lora", "fusion", "last"):
        mine, theirs = (load_file(r / f"stage2/{name}.safetensors") for r in (single, runs))
        assert mine.keys() == theirs.keys()
        for key, value in mine.items():
            torch.testing.assert_close(theirs[key], value, atol=1e-4, rtol=1e-3, msg=key)


def test_a_checkpoint_of_one_recipe_is_refused_by_another(
    single: Path, smoke: Smoke, tiny_job: Job
) -> None:
    """Other hyper-parameters, another seed or another spec: a line that says what to do."""
    for changes, seed in (
        (["stage2.learning_rate=0.02"], 1),
        ([], 2),
        (["spec.video.tokens=1"], 1),
    ):
        recipe = changed(smoke.recipe, [*CHANGES, *changes])
        job = Job(recipe, smoke.data, single, tiny_job.cache, seed, 1, argparse.Namespace())
        with pytest.raises(UserError, match=r"seed or model, .*give another --runs"):
            stage2.train(job)
