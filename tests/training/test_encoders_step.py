"""Encoders of a recipe: trained, fetched, or only scaled; never of another shape."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.model.densenet import DenseNet
from stream.errors import UserError
from training.bundle import ENCODER_RECORDS
from training.datasets.corpora import open_corpus
from training.encoders import face_weights, load_encoders, prepare, speech_weights
from training.preprocess import encode_dialogues
from training.script import Job
from training.smoke import Smoke


@pytest.fixture
def standardised(smoke: Smoke, feature_cache: Path, tmp_path: Path) -> Job:
    """A recipe like the paper's: a DenseNet from a file, and functionals that are scaled."""
    weights = tmp_path / "hub" / "model.safetensors"
    weights.parent.mkdir()
    torch.manual_seed(3)
    save_file(DenseNet(smoke.spec.video.densenet).state_dict(), weights)
    recipe = smoke.recipe.with_spec(audio={"hidden": 0}, evidence=False).with_settings(
        encoders={"video": str(weights.parent), "audio": "standardise"}
    )
    return Job(recipe, smoke.data, tmp_path / "runs", feature_cache)


def test_weights_are_fetched_and_functionals_scaled(standardised: Job) -> None:
    """Over the training clips, what the adapter reads has mean 0 and deviation 1."""
    prepare(standardised)
    fetched = load_file(face_weights(standardised.runs))
    given = load_file(Path(standardised.recipe.settings.encoders.video) / "model.safetensors")
    assert all(torch.equal(fetched[key], value) for key, value in given.items())
    encoders = load_encoders(standardised.spec, standardised.runs)
    train = open_corpus("meld", standardised.corpus_folder).splits["train"]
    turns = encode_dialogues(train, encoders, standardised.cache, 1)
    tokens = torch.cat([t.audio for own in turns for t in own if t.audio is not None])
    assert tokens.shape[1] == standardised.spec.audio.features
    varied = tokens.std(0) > 0.1
    assert varied.sum() > 40
    assert tokens.mean(0).abs().max() < 0.3  # outliers are clipped
    torch.testing.assert_close(tokens[:, varied].std(0).mean(), torch.tensor(1.0), atol=0.2, rtol=0)
    assert all(t.audio_scores is None and t.video_scores is None for own in turns for t in own)


def test_what_is_there_is_not_made_again(standardised: Job) -> None:
    """A second run touches neither file."""
    prepare(standardised)
    paths = [face_weights(standardised.runs), speech_weights(standardised.runs)]
    before = [path.stat().st_mtime_ns for path in paths]
    prepare(standardised)
    assert [path.stat().st_mtime_ns for path in paths] == before


@pytest.mark.parametrize("of_bundle", [True, False])
def test_the_record_of_a_training_goes_with_its_densenet(
    of_bundle: bool, standardised: Job, tmp_path: Path
) -> None:
    """Of a bundle or of another runs folder: the next bundle says how the face was trained."""
    record = {"dev_ferplus_accuracy": 0.8, "epoch": 2, "settings": {"epochs": 3}}
    other = tmp_path / "other"
    other.mkdir()
    given = Path(standardised.recipe.settings.encoders.video) / "model.safetensors"
    weights = given.rename(other / "face.safetensors")
    if of_bundle:
        whole = {"recipe": "compact", "seed": 1, "stages": [], "epochs": [], "chosen": "-"}
        whole |= {"encoders": {"face": record}}
        (other / "training.json").write_text(json.dumps(whole))
    else:
        (other / "face.json").write_text(json.dumps(record))
    recipe = standardised.recipe.with_settings(encoders={"video": str(weights)})
    prepare(dataclasses.replace(standardised, recipe=recipe))
    copied = face_weights(standardised.runs).parent / ENCODER_RECORDS["face"].split("/")[1]
    assert json.loads(copied.read_text()) == record


@pytest.mark.parametrize("content", ["other shape", "no safetensors", "missing"])
def test_other_weights_are_refused(content: str, standardised: Job) -> None:
    """The message names the setting, the file and the way out."""
    path = Path(standardised.recipe.settings.encoders.video) / "model.safetensors"
    path.unlink()
    if content == "other shape":
        config = dataclasses.replace(standardised.spec.video.densenet, growth_rate=4)
        save_file(DenseNet(config).state_dict(), path)
    elif content == "no safetensors":
        path.write_bytes(b"pickle")
    with pytest.raises(UserError, match=r"encoders\.video .*model\.safetensors is not a DenseNet"):
        prepare(standardised)


def test_missing_and_foreign_encoders_are_named(standardised: Job, smoke: Smoke) -> None:
    """Which file, and what to run."""
    with pytest.raises(UserError, match=r"face\.safetensors is missing: run .*training\.encoders"):
        load_encoders(standardised.spec, standardised.runs)
    prepare(standardised)
    with pytest.raises(UserError, match=r"speech\.safetensors is of another spec"):
        load_encoders(smoke.spec, standardised.runs)
