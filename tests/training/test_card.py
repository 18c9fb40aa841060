"""The model card of a bundle."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from engine.model.manifest import verify_bundle
from engine.model.spec import MELD_LABELS, compact
from export.bundle import write_manifest
from training import card, evaluate
from training.dev_sets import EVALUATIONS, Evaluation, Measured
from training.metrics import scores
from training.recipe import read_recipe
from training.settings import Settings, Stage1Training


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A sealed bundle with one small file of weights."""
    folder = tmp_path / "compact"
    folder.mkdir()
    (folder / "spec.json").write_text(json.dumps(compact().to_dict()))
    (folder / "calibration.json").write_text(json.dumps({"temperatures": {"text": 1.25}}))
    save_file({"weight": np.zeros((200, 50), np.float32)}, folder / "face.safetensors")
    write_manifest(folder)
    return folder


@pytest.fixture
def results() -> list[Measured]:
    """One evaluation with figures, on data without fear, and one whose corpus is missing."""
    truth = np.array([0, 0, 1, 2, 3, 4, 5, 0])
    predicted = np.eye(len(MELD_LABELS))[[0, 0, 1, 2, 3, 4, 5, 1]]
    faces, voices = EVALUATIONS[2], EVALUATIONS[3]
    extra = {"ferplus_accuracy": 0.8125, "ferplus_n": 7}
    return [
        Measured(faces, scores(MELD_LABELS, truth, predicted), extra),
        Measured(voices, None, {}),
    ]


def test_a_card_has_its_figures_and_the_commands(bundle: Path, results: list[Measured]) -> None:
    """Each evaluation stands with its command; figures are percent, missing ones are named."""
    card.write_card(bundle, results, read_recipe("compact").settings, seed=7)
    text = (bundle / card.CARD).read_text()
    assert "| FER2013 PublicTest, faces, FER2013's label | 8 |" in text
    assert "| 87.5 |" in text  # accuracy: seven of eight
    assert "against FERPlus's majority of 7 | 7 |  |  | 81.2 |" in text
    assert "python -m training.evaluate bundles/compact fer2013 data/fer2013\n" in text
    assert "The data have no fear." in text
    assert "RAVDESS actors 17-20, English voices | not measured" in text
    assert "text 1.25" in text
    assert "seed 7" in text
    assert "learning rate 0.0005" in text  # of stage 2
    assert "alignment, is not trained." in text
    assert "Numbers in the weights: face encoder 0.01 million." in text


def test_a_card_fills_in_everything_and_names_no_local_path(
    bundle: Path, results: list[Measured]
) -> None:
    """Nothing of the template and nothing of this machine is left in the text."""
    card.write_card(bundle, results, Settings(), seed=1)
    text = (bundle / card.CARD).read_text()
    assert "$" not in text
    assert str(bundle.parent) not in text


def test_a_card_of_two_stages_says_so(bundle: Path, results: list[Measured]) -> None:
    """With epochs of stage 1 the card has their settings."""
    settings = Settings(stage1=Stage1Training(epochs=3))
    card.write_card(bundle, results, settings, seed=1)
    text = (bundle / card.CARD).read_text()
    assert "alignment, was trained before it. Settings: epochs 3" in text
    assert "not trained" not in text


def test_a_bundle_is_sealed_with_its_card(bundle: Path, results: list[Measured]) -> None:
    """The manifest lists the card, so the bundle is accepted and has a new identity."""
    before = verify_bundle(bundle).sha256
    manifest = card.write_card(bundle, results, Settings(), seed=1)
    assert verify_bundle(bundle) == manifest
    assert card.CARD in manifest.files
    assert manifest.sha256 != before


@pytest.mark.parametrize("evaluation", EVALUATIONS, ids=lambda evaluation: evaluation.title)
def test_a_command_can_be_typed(evaluation: Evaluation) -> None:
    """`training.evaluate` takes every command of a card, and reads from it what the card did."""
    words = shlex.split(evaluation.command("bundles/compact"))
    assert words[:3] == ["python", "-m", "training.evaluate"]
    options = evaluate._parse(words[3:])
    assert options.dataset == evaluation.dataset
    assert options.bundles == [Path("bundles/compact")]
    assert options.path == Path("data") / evaluation.path
    assert options.speakers == evaluation.speakers
    assert tuple(options.without) == evaluation.without
    assert (options.faces is None) == (evaluation.dataset != "composed")
