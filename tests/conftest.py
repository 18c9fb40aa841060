"""A tiny real model, trained once from synthesised corpora, that many tests share.

What it needs is imported inside the fixtures: the tests of the media layer, which share
this file, run without torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from engine.model.recognizer import Recognizer
    from training.script import Job
    from training.smoke import Smoke


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Smoke:
    """Synthesised corpora, a two-layer LLaMA and the spec that fits it."""
    from training.smoke import make_smoke

    return make_smoke(tmp_path_factory.mktemp("smoke"))


@pytest.fixture(scope="session")
def feature_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of openSMILE functionals, computed once for all tests."""
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="session")
def tiny_job(smoke: Smoke, feature_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """What the trainings wrote after a moment each, words and composed, and how."""
    import torch

    from training import stage2
    from training.script import Job
    from training.smoke import train_encoders

    torch.set_num_threads(1)  # more only get in each other's way in so small a model
    runs = tmp_path_factory.mktemp("runs")
    train_encoders(smoke, runs, feature_cache)
    recipe = smoke.recipe.with_settings(stage1={"epochs": 0}, stage2={"clip_epochs": 0})
    job = Job(recipe, smoke.data, runs, feature_cache)
    stage2.train(job)
    return job


@pytest.fixture(scope="session")
def tiny_bundle(tiny_job: Job, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed and calibrated bundle; copy it before changing it."""
    from training import bundle

    out = tmp_path_factory.mktemp("bundle")
    bundle.build(tiny_job, out)
    return out


@pytest.fixture(scope="session")
def tiny_recognizer(smoke: Smoke, tiny_bundle: Path) -> Recognizer:
    """The bundle, loaded with the real face detector."""
    from engine.model.recognizer import Recognizer
    from export.models import resolve

    return Recognizer.load(
        tiny_bundle,
        base_model=Path(smoke.spec.llm.base),
        face_detector=resolve("blazeface"),
        face_landmarks=resolve("face-landmarks"),
        threads=1,
    )
