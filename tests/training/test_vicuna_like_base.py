"""A base whose repository has pickled weights and a `tokenizer.model`, from there to stage 1."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import write_descriptions, write_vicuna_like
from transformers.utils import logging

from stream.errors import UserError
from training import stage1
from training.learning.learner import build_learner
from training.script import Job

DOCS = Path(__file__).parents[2] / "docs" / "training.md"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it is downloaded."""
    return write_vicuna_like(tmp_path_factory.mktemp("hub") / "vicuna-7b-v1.5")


@pytest.fixture(scope="module")
def converted(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """By the lines that docs/training.md gives."""
    out = tmp_path_factory.mktemp("converted") / "vicuna-7b"
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    (code,) = (block for block in blocks if "lmsys/vicuna-7b-v1.5" in block)
    code = code.replace("lmsys/vicuna-7b-v1.5", str(published)).replace(
        '"vicuna-7b"', repr(str(out))
    )
    logging.disable_progress_bar()
    exec(compile(code, str(DOCS), "exec"), {})
    return out


@pytest.fixture
def job_on(tiny_job: Job, tmp_path: Path) -> Callable[[Path], Job]:
    """Stage 1 with the prompts of the paper's spec, on a base."""
    prompt = {"within_lines": True}
    settings = {"epochs": 1, "batch_tokens": 600}

    def make(base: Path) -> Job:
        recipe = tiny_job.recipe.with_spec(llm={"base": str(base)}, prompt=prompt)
        recipe = recipe.with_settings(stage1=settings)
        return dataclasses.replace(tiny_job, recipe=recipe, runs=tmp_path / "runs")

    return make


def test_stage_1_runs_on_what_the_documentation_converts(
    converted: Path, job_on: Callable[[Path], Job]
) -> None:
    """The tokenizer is read, the weights are safetensors, and LoRA is learned."""
    job = job_on(converted)
    write_descriptions(job)
    stage1.train(job)
    learned = load_file(job.runs / "stage1" / "lora.safetensors")
    assert any(bool(value.abs().max() > 0) for name, value in learned.items() if "lora_B" in name)


def test_the_pickle_alone_is_refused_with_the_way_out(
    published: Path, job_on: Callable[[Path], Job]
) -> None:
    """What cannot be read without running code is not read, and a line says what to do."""
    with pytest.raises(UserError, match=r"docs/training\.md"):
        build_learner(job_on(published).recipe)


def test_weights_survive_the_conversion(published: Path, converted: Path) -> None:
    """To the last bit."""
    before = torch.load(published / "pytorch_model.bin", weights_only=True)
    after = load_file(converted / "model.safetensors")
    assert after
    for name, value in after.items():
        assert torch.equal(value, before[name]), name
    assert (converted / "tokenizer.json").exists()
