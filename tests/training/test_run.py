"""All steps in one process: each begins with the memory of the one before given back."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from tiny_model import write_descriptions

from engine.model.model import EmotionModel
from stream.errors import UserError
from training import run
from training.script import Job
from training.smoke import Smoke


@pytest.mark.slow
def test_no_model_outlives_its_step(
    smoke: Smoke, tiny_job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a base LLM is loaded, the models of the steps before are gone, and so is their LLM."""
    made: list[weakref.ref[torch.nn.Module]] = []
    alive: list[int] = []
    create = EmotionModel.__init__

    def note(self: EmotionModel, *arguments: object) -> None:
        alive.append(sum(one() is not None for one in made))
        create(self, *arguments)  # type: ignore[arg-type]
        made.extend((weakref.ref(self), weakref.ref(self.llm)))

    monkeypatch.setattr(EmotionModel, "__init__", note)
    out = tmp_path / "bundle"
    settings = {"text_epochs": 1, "composed_epochs": 1, "clip_epochs": 0}
    recipe = smoke.recipe.with_settings(
        teacher={"kind": "none"}, stage1={"epochs": 1}, stage2=settings
    )
    job = dataclasses.replace(
        tiny_job, recipe=recipe, runs=tmp_path / "runs", options=Namespace(smoke=False, out=out)
    )
    write_descriptions(job)
    monkeypatch.setattr(run.encoders, "prepare", lambda job: None)  # there from another test
    for name in ("face", "speech"):
        (job.runs / name).symlink_to(tiny_job.runs / name)
    gc.collect()
    gc.disable()  # what is collected by chance is not what is given back
    try:
        run.run(job)
    finally:
        gc.enable()
    assert (out / "manifest.json").exists()
    assert len(alive) >= 3  # both stages and the bundle, maybe pre-tuning and the larger LLM
    assert alive == [0] * len(alive)


def test_a_folder_that_would_be_lost_is_refused_before_hours_of_work(
    tiny_job: Job, tmp_path: Path
) -> None:
    """Not by the last step: nothing was trained yet."""
    (tmp_path / "thesis.txt").write_text("years of work")
    options = Namespace(smoke=False, out=tmp_path)
    job = dataclasses.replace(tiny_job, runs=tmp_path / "runs", options=options)
    with pytest.raises(UserError, match=r"holds thesis\.txt"):
        run.run(job)
    assert not job.runs.exists()
