"""The model card of a bundle."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from engine.model.calibration import Calibration
from engine.model.manifest import verify_bundle
from engine.model.spec import MELD_LABELS, compact
from export.bundle import write_manifest
from stream.errors import UserError
from training import card, evaluate
from training.calibrate import SubsetFigures, write_calibration
from training.cards.dev_sets import NOISE, SINGLE, Evaluation, Measured, evaluations
from training.cards.inputs import Inputs
from training.cards.sections import PICTURES
from training.cards.seeds import SeedFigures, read_seeds, seed_rows
from training.evaluation.metrics import scores
from training.evaluation.predictions import Predictions
from training.evaluation.report import HEADLINES
from training.evaluation.scoring import Scored
from training.latency import StageLatency
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
    faces, voices = first_of("fer2013"), first_of("ravdess")
    extra = {"ferplus_accuracy": 0.8125, "ferplus_n": 7}
    extra |= {"ferplus_agreed_accuracy": 0.875, "ferplus_agreed_n": 5}
    return [
        Measured(faces, scores(MELD_LABELS, truth, predicted), extra),
        Measured(voices, None, {}),
    ]


def first_of(dataset: str) -> Evaluation:
    """The first evaluation of a data set."""
    return next(one for one in SINGLE if one.dataset == dataset)


def test_a_card_has_its_figures_and_the_commands(bundle: Path, results: list[Measured]) -> None:
    """Each evaluation stands with its command; figures are percent, missing ones are named."""
    card.write_card(bundle, results, read_recipe("compact").settings)
    text = (bundle / card.CARD).read_text()
    assert "| FER2013 PublicTest, faces, FER2013's label | 8 |" in text
    assert "| 87.5 |" in text  # accuracy: seven of eight
    assert "against FERPlus's majority of 7 | 7 |  |  | 81.2 |" in text
    assert "more than half agree on it (FERPlus's own rule) | 5 |  |  | 87.5 |" in text
    assert "python -m training.evaluate bundles/compact fer2013 data/fer2013\n" in text
    assert "The data have no fear." in text
    assert "RAVDESS actors 17-20, English voices | not measured" in text
    assert "text 1.25" in text
    assert "distributions.\n   Settings: not recorded." in text
    assert "learning rate 0.001" in text  # of stage 2
    assert "alignment,\nis not trained." in text
    assert "Numbers in the weights: face encoder 0.01 million." in text


def test_a_card_fills_in_everything_and_names_no_local_path(
    bundle: Path, results: list[Measured]
) -> None:
    """Nothing of the template and nothing of this machine is left in the text."""
    card.write_card(bundle, results, Settings())
    text = (bundle / card.CARD).read_text()
    assert "$" not in text
    assert str(bundle.parent) not in text


def test_a_card_of_two_stages_says_so(bundle: Path, results: list[Measured]) -> None:
    """With epochs of stage 1 the card has their settings."""
    settings = Settings(stage1=Stage1Training(epochs=3))
    card.write_card(bundle, results, settings)
    text = (bundle / card.CARD).read_text()
    assert "alignment,\nwas trained before it. Settings: epochs 3" in text
    assert "not trained" not in text


def test_a_card_tells_how_the_encoders_were_trained(bundle: Path, results: list[Measured]) -> None:
    """By the record in the bundle, whatever the defaults are now."""
    record = {
        "recipe": "compact",
        "seed": 7,
        "stages": [],
        "epochs": [],
        "chosen": "",
        "encoders": {"face": {"settings": {"epochs": 13, "seed": 7}}},
    }
    (bundle / "training.json").write_text(json.dumps(record))
    write_manifest(bundle)
    card.write_card(bundle, results, Settings())
    text = (bundle / card.CARD).read_text()
    assert "distributions.\n   Settings: epochs 13, seed 7." in text
    assert "Settings: not recorded." in text  # the speech encoder's


def test_a_bundle_is_sealed_with_its_card(bundle: Path, results: list[Measured]) -> None:
    """The manifest lists the card, so the bundle is accepted and has a new identity."""
    before = verify_bundle(bundle).sha256
    manifest = card.write_card(bundle, results, Settings())
    assert verify_bundle(bundle) == manifest
    assert card.CARD in manifest.files
    assert manifest.sha256 != before


@pytest.mark.parametrize(("mismatched", "shares"), [(0.0, [0.0] * 4), (0.3, [0.3] * 4 + [0.0])])
def test_dev_is_composed_as_the_recipe_composes(mismatched: float, shares: list[float]) -> None:
    """With all of one label beside it where the recipe mismatches some."""
    composed = [one for one in evaluations(mismatched) if one.dataset == "composed"]
    assert [one.mismatched for one in composed] == shares
    assert len({one.title for one in composed}) == len(composed)


@pytest.mark.parametrize(
    "evaluation", [*evaluations(0.4), *NOISE], ids=lambda evaluation: evaluation.title
)
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
    assert (options.half, options.noise) == (evaluation.half, evaluation.noise)


def measured(evaluation: Evaluation, right: int, genders: bool = False) -> Measured:
    """Ten turns of which the surest are right."""
    confidence = np.linspace(0.9, 0.5, 10)
    truth = np.array([0] * right + [1] * (10 - right))
    given = np.zeros((10, len(MELD_LABELS)))
    given[:, 0], given[:, 1] = confidence, 1 - confidence
    predictions = Predictions(MELD_LABELS, truth, given, np.arange(10))
    scored = Scored(predictions, {}, {}, ("female", "male") * 5 if genders else ())
    extra = {"answered": 0.75, "accuracy_where_answered": 0.875}
    return Measured(evaluation, predictions.scores(), extra, scored.by_gender(), predictions)


def test_a_card_of_everything(bundle: Path) -> None:
    """Seeds, calibration, abstaining, noise, women and men, time: each with its command."""
    words, voices = measured(SINGLE[0], 8), measured(first_of("ravdess"), 6, genders=True)
    subset = SubsetFigures(1109, True, 1.1, 0.0375, 0.625, 0.6125, 0.7125, 0.6625, 0.4321)
    write_calibration(Calibration({"text": 1.25}), bundle, {"text": subset})
    write_manifest(bundle)
    seeds = SeedFigures(
        "python -m training.evaluate a b meld data/meld/dev_sent_emo.csv --json",
        1109,
        dict.fromkeys(HEADLINES, 0.625),
        dict.fromkeys(HEADLINES, 0.0125),
        (dict.fromkeys(HEADLINES, 0.6125), dict.fromkeys(HEADLINES, 0.6375)),
        ("face.safetensors",),
    )
    noise = tuple(measured(one, 7) for one in NOISE)
    inputs = Inputs(noise, (seeds,), (StageLatency("llm", 3, 210.0, 290.0),))
    card.write_card(bundle, [words, voices], Settings(), inputs)
    text = (bundle / card.CARD).read_text()
    assert "python -m training.evaluate a b meld" in text
    assert "| weighted F1 | 62.5 | 1.2 | 61.3 | 63.7 |" in text
    assert "All have the same face.safetensors." in text
    assert "| text | 1109 | yes | 1.100 | 3.8 | 62.5 | 61.3 | 71.2 | 66.2 | 43.2 |" in text
    assert "--bundle bundles/compact --dry-run" in text
    assert "| MELD dev, words | 100.0 | 88.9 | 80.0 |" in text
    assert "| 75.0 | 87.5 |" in text
    assert "--noise 0.15" in text
    assert "| 20 % wrong |" in text
    assert "| RAVDESS actors 17-20, English voices | female | 5 |" in text
    assert "| llm | 3 | 210 | 290 |" in text
    for name in PICTURES.values():
        assert f"]({name})" in text
        assert (bundle / name).stat().st_size < 60_000
        assert name in verify_bundle(bundle).files
    assert "Not measured." not in text


def test_an_old_picture_does_not_stay(bundle: Path, results: list[Measured]) -> None:
    """What was not measured this time is not shown."""
    for name in PICTURES.values():
        (bundle / name).write_bytes(b"of another bundle")
    write_manifest(bundle)
    card.write_card(bundle, results, Settings())
    assert not any((bundle / name).exists() for name in PICTURES.values())
    text = (bundle / card.CARD).read_text()
    assert "card_" not in text
    assert "Not measured." in text


def test_figures_of_seeds_are_read_from_json(tmp_path: Path) -> None:
    """From what the evaluation prints; another file is refused with its name."""
    run = dict.fromkeys(HEADLINES, 0.5)
    about = {"command": "x", "shared": ["face.safetensors"]}
    document = {"about": about, "n": 3, **run, "deviation": None, "runs": [run]}
    path = tmp_path / "seeds.json"
    path.write_text(json.dumps(document))
    found = read_seeds(path)
    assert (found.command, found.n, found.deviation, len(found.each)) == ("x", 3, None, 1)
    assert found.shared == ("face.safetensors",)
    for content in ("[]", "{}", "no json"):
        path.write_text(content)
        with pytest.raises(UserError, match=r"--seeds-from .*seeds\.json"):
            read_seeds(path)


def test_seeds_of_a_face_network_have_its_own_figures(tmp_path: Path) -> None:
    """By either rule of FERPlus, with what another seed changes."""
    shares = {"ferplus_accuracy": 0.75, "ferplus_agreed_accuracy": 0.875}
    run = dict.fromkeys(HEADLINES, 0.5) | shares
    document = {"about": {"command": "x", "shared": []}, "n": 3, **run}
    document |= {"deviation": run | {"ferplus_accuracy": 0.0625}, "runs": [run, run]}
    path = tmp_path / "seeds.json"
    path.write_text(json.dumps(document))
    rows = seed_rows(read_seeds(path))
    assert rows[-2] == ("accuracy against FERPlus's majority of 7", "75.0", "6.2", "75.0", "75.0")
    assert rows[-1][:2] == ("accuracy by FERPlus's own rule", "87.5")
