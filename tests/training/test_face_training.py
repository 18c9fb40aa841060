"""The face encoder learns, resumes where it was, and keeps its best epoch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.model.densenet import DenseNet
from stream.errors import UserError
from training import face
from training.datasets.fer2013 import Fer2013, read_fer2013
from training.face import FaceTraining, evaluate, fit
from training.learning.checkpoint import save_checkpoint
from training.smoke import Smoke

OPTIONS = FaceTraining(epochs=8, small_epochs=2, batch_size=20, ema_decay=0.8)


@pytest.fixture(scope="module")
def sets(smoke: Smoke) -> tuple[Fer2013, Fer2013]:
    """Training and dev pictures."""
    folder = smoke.data / "fer2013"
    return read_fer2013(folder, "Training"), read_fer2013(folder, "PublicTest")


@pytest.fixture(scope="module")
def whole(
    smoke: Smoke, sets: tuple[Fer2013, Fer2013], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A training without interruption."""
    out = tmp_path_factory.mktemp("whole")
    fit(*sets, smoke.spec.video, OPTIONS, out)
    return out


def test_a_killed_training_ends_with_the_same_weights(
    smoke: Smoke,
    sets: tuple[Fer2013, Fer2013],
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed after the first epoch and started again: all state at the end is equal."""

    def save_and_die(*arguments: object, owner: str) -> None:
        save_checkpoint(*arguments, owner=owner)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(face, "save_checkpoint", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            fit(*sets, smoke.spec.video, OPTIONS, tmp_path)
    torch.manual_seed(99)
    best = fit(*sets, smoke.spec.video, OPTIONS, tmp_path)
    for name in ("last.safetensors", "face.safetensors"):
        resumed, expected = load_file(tmp_path / name), load_file(whole / name)
        assert resumed.keys() == expected.keys()
        for key, value in expected.items():
            assert torch.equal(resumed[key], value), f"{name} {key}"
    figures = json.loads((whole / "face.json").read_text())
    assert figures == json.loads((tmp_path / "face.json").read_text())
    assert best == figures["dev_ferplus_accuracy"]


def test_a_finished_training_is_not_repeated(
    smoke: Smoke, sets: tuple[Fer2013, Fer2013], whole: Path
) -> None:
    """Started again it returns its figure and leaves its files alone."""
    before = {path.name: path.stat().st_mtime_ns for path in whole.iterdir()}
    best = fit(*sets, smoke.spec.video, OPTIONS, whole)
    assert best == json.loads((whole / "face.json").read_text())["dev_ferplus_accuracy"]
    assert {path.name: path.stat().st_mtime_ns for path in whole.iterdir()} == before


def test_what_is_kept_scores_what_is_said(
    smoke: Smoke, sets: tuple[Fer2013, Fer2013], whole: Path
) -> None:
    """The weights in the file have the accuracy beside them, far above one in seven."""
    model = DenseNet(smoke.spec.video.densenet)
    model.load_state_dict(load_file(whole / "face.safetensors"))
    accuracy = evaluate(model, sets[1], smoke.spec.video)
    assert accuracy == json.loads((whole / "face.json").read_text())["dev_ferplus_accuracy"]
    assert accuracy > 0.4


def test_pictures_without_a_majority_do_not_count(smoke: Smoke) -> None:
    """Of two pictures one is no face for the annotators; the other is right or wrong."""
    model = DenseNet(smoke.spec.video.densenet).eval()
    images = np.zeros((2, 48, 48), np.uint8)
    pixels = (torch.zeros(1, 1, 48, 48) - smoke.spec.video.mean) / smoke.spec.video.std
    winner = int(model(pixels).argmax())
    for label, expected in ((winner, 1.0), ((winner + 1) % 7, 0.0)):
        majority = np.array([-1, label])
        votes = np.zeros((2, 7), np.float32)
        data = Fer2013(images, majority, votes, majority, majority >= 0)
        assert evaluate(model, data, smoke.spec.video) == expected


def test_a_loss_that_is_no_number_is_not_kept(
    smoke: Smoke, sets: tuple[Fer2013, Fer2013], tmp_path: Path
) -> None:
    """It ends the training with the way out, before a checkpoint has it."""
    options = FaceTraining(epochs=2, small_epochs=0, batch_size=20, learning_rate=1e30)
    with pytest.raises(UserError, match=r"face encoder's loss is nan in epoch 1: .* delete "):
        fit(*sets, smoke.spec.video, options, tmp_path)
    assert not (tmp_path / "last.safetensors").exists()
