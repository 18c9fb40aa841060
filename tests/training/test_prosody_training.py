"""The prosody encoder, trained, and what it adds to words."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_model import spoken

from engine.dialogue import Turn
from engine.model.prosody import ProsodyEncoder
from engine.model.recognizer import Recognizer, read_spec
from engine.model.spec import MELD_LABELS
from engine.prosody import MEASURES
from export.bundle import write_manifest
from stream.errors import UserError
from stream.media import Utterance
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.datasets.meld import read_meld
from training.evaluate import main as evaluate_main
from training.prosody import (
    ProsodyTraining,
    evaluate,
    fit,
    gather,
    label_scores,
    prosody_weights,
    train,
)
from training.prosody import main as prosody_main
from training.prosody_evidence import (
    HALVINGS,
    attach,
    fit_weight,
    gain,
    halvings,
    measure_gain,
    published_scores,
)
from training.script import Job
from training.smoke import Smoke

QUICK = ProsodyTraining(epochs=8, batch_size=32)
USUAL = np.array([2.5, 63.0, 8.0, 200.0, 60.0, 280.0, 3.8, 6.5])


def voice(emotion: str, rng: np.random.Generator, base: np.ndarray) -> tuple[float, ...]:
    """Anger is louder and higher than what is usual for the speaker, sadness the reverse."""
    change = {"anger": 1.0, "sadness": -1.0}.get(emotion, 0.0)
    moved = base + change * np.array([0, 8, 0, 90, 0, 0, 1, 0])
    return tuple((moved + rng.normal(0, 0.3, len(MEASURES))).tolist())


def dialogues(count: int, seed: int) -> list[Dialogue]:
    """Two speakers with voices and microphones of their own, neutral at first."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        bases = {
            name: USUAL + np.array([0, rng.normal(0, 6), 0, rng.normal(0, 20), 0, 0, 0, 0])
            for name in ("Ann", "Ben")
        }
        utterances = []
        for place in range(8):
            speaker = ("Ann", "Ben")[place % 2]
            emotion = "neutral" if place < 2 else str(rng.choice(["neutral", "anger", "sadness"]))
            measured = None if place == 5 else voice(emotion, rng, bases[speaker])
            utterances.append(
                DialogueUtterance(
                    str(number), place, speaker, "Hm.", emotion, None, None, prosody=measured
                )
            )
        made.append(Dialogue(str(number), tuple(utterances)))
    return made


@pytest.fixture(scope="module")
def trained() -> ProsodyEncoder:
    """On voices in which the label is plain, relative to the speaker."""
    return fit(gather(dialogues(60, 1), MELD_LABELS), len(MELD_LABELS), QUICK)


def test_it_learns_what_differs_from_the_speakers_past(trained: ProsodyEncoder) -> None:
    """Also of speakers with other microphones."""
    figures = evaluate(trained, gather(dialogues(30, 2), MELD_LABELS), MELD_LABELS)
    assert figures["weighted_f1"] > 0.8
    assert figures["cross_entropy"] < figures["cross_entropy_of_frequencies"] - 0.3


def test_all_turns_at_once_are_as_one_after_another(trained: ProsodyEncoder) -> None:
    """What is trained on is what live turns are given."""
    own = dialogues(3, 3)
    together = label_scores(trained, gather(own, MELD_LABELS))
    alone = published_scores(own, trained, MELD_LABELS)
    known = torch.tensor([u.prosody is not None for d in own for u in d.utterances])
    assert torch.allclose(alone[known], together, atol=1e-5)
    assert not alone[~known].any()


def test_everything_is_written(tmp_path: Path) -> None:
    """Weights that can be read back, and figures."""
    figures = train(dialogues(8, 1), dialogues(4, 2), MELD_LABELS, QUICK, tmp_path)
    assert json.loads((tmp_path / "prosody.json").read_text()) == figures
    encoder = ProsodyEncoder(7).eval()
    encoder.load_state_dict(load_file(tmp_path / "prosody.safetensors"))
    assert evaluate(encoder, gather(dialogues(4, 2), MELD_LABELS), MELD_LABELS) == figures


def test_a_copy_without_prosody_is_refused(
    smoke: Smoke, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what is missing and where it belongs."""
    words = ["compact", "--data", str(smoke.data), "--runs", str(tmp_path), "--threads", "1"]
    assert prosody_main(words) == 2
    assert "meld_train_audio_features.csv" in capsys.readouterr().err


def test_gain_is_found_where_there_is_one() -> None:
    """Words that know half of the labels, and prosody that knows the other half."""
    generator = torch.Generator().manual_seed(1)
    truth = torch.randint(0, 4, (400,), generator=generator)
    scores = 0.5 * torch.randn(400, 4, generator=generator)
    words, prosody = scores.clone(), torch.zeros(400, 4)
    even = truth % 2 == 0
    words[even, truth[even]] += 4
    prosody[~even, truth[~even]] += 4
    owner = np.arange(400) // 10
    found = gain(words, prosody, truth, owner, ("a", "b", "c", "d"))
    assert found.joint_f1 > found.words_f1 + 0.2
    assert found.joint_f1 > found.biased_words_f1 + 0.1
    assert found.joint_loss < found.words_loss
    assert found.weight > 0.3


def test_dialogues_are_halved_in_several_ways() -> None:
    """Each a different way, always the same; a dialogue is never cut, and no half is empty."""
    owner = np.array([4, 4, 7, 9, 9, 9, 30, 30, 31, 40])  # some dialogues have no known label
    ways = halvings(owner)
    assert len(ways) == HALVINGS
    assert ways[0].tolist() == [0, 0, 1, 0, 0, 0, 1, 1, 0, 1]
    assert len({tuple(way.tolist()) for way in ways}) > HALVINGS // 2
    for way, again in zip(ways, halvings(owner), strict=True):
        assert torch.equal(way, again)
        sides = {int(name): set(way[owner == name].tolist()) for name in owner}
        assert all(len(side) == 1 for side in sides.values())
        assert sum(next(iter(side)) for side in sides.values()) == 3


def test_noise_gets_no_weight() -> None:
    """And adds nothing."""
    generator = torch.Generator().manual_seed(1)
    truth = torch.randint(0, 4, (2000,), generator=generator)
    words = torch.randn(2000, 4, generator=generator)
    words[range(2000), truth] += 2
    noise = torch.randn(2000, 4, generator=generator).log_softmax(1)
    assert abs(fit_weight(words, noise, truth)) < 0.3
    found = gain(words, noise, truth, np.arange(2000), ("a", "b", "c", "d"))
    assert abs(found.joint_f1 - found.words_f1) < 0.02


@pytest.fixture(scope="module")
def heard_job(smoke: Smoke, tiny_job: Job, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The smoke corpus with a voice for every utterance, and an encoder trained on it."""
    folder = tmp_path_factory.mktemp("heard")
    rng = np.random.default_rng(1)
    (folder / "meld").mkdir()
    for split in ("train", "dev"):
        table = folder / "meld" / f"{split}_sent_emo.csv"
        shutil.copyfile(smoke.data / "meld" / table.name, table)
        rows = [
            f"dia{u.dialogue_id}_utt{u.utterance_id}.wav,"
            + ",".join(f"{value:.3f}" for value in voice(u.emotion, rng, USUAL))
            for dialogue in read_meld(table)
            for u in dialogue.utterances
        ]
        text = "\n".join(["filename," + ",".join(MEASURES), *rows])
        path = folder / "meld" / f"meld_{split}_audio_features.csv"
        path.write_text(text + "\n", encoding="utf-8")
    job = dataclasses.replace(tiny_job, data=folder, runs=folder / "runs", corpus=None)
    splits = job.open_corpus().splits
    out = prosody_weights(job.runs).parent
    train(splits["train"], splits["dev"], job.spec.labels, QUICK, out)
    return job


@pytest.fixture(scope="module")
def heard_bundle(
    heard_job: Job, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The tiny bundle with prosody."""
    bundle = tmp_path_factory.mktemp("bundles") / "heard"
    shutil.copytree(tiny_bundle, bundle)
    found = attach(heard_job, bundle)
    assert found.n > 0
    return bundle


def load(smoke: Smoke, bundle: Path) -> Recognizer:
    """Without a face detector."""
    base = Path(smoke.spec.llm.base)
    return Recognizer.load(bundle, base_model=base, face_detector=None, threads=1)


def test_live_sound_is_measured(smoke: Smoke, heard_bundle: Path) -> None:
    """As evidence beside the words, compared with the speaker's turns in the history."""
    recognizer = load(smoke, heard_bundle)
    said = Utterance("1", "Ann", 0.0, 2.0, (), spoken(2.0), "what a lovely day")
    first = recognizer.recognize(said, [])
    assert first.inputs is not None
    assert first.inputs.prosody is not None
    assert first.inputs.prosody_scores is not None
    assert "prosody" in first.latency_ms
    assert set(first.contributions) == {"text", "audio"}
    louder = dataclasses.replace(said, audio=4 * said.audio)
    past = [Turn("Ann", said.text, inputs=first.inputs)]
    second = recognizer.recognize(louder, past)
    assert second.inputs is not None
    assert second.inputs.prosody_scores is not None
    assert not torch.allclose(second.inputs.prosody_scores, first.inputs.prosody_scores)
    silent = recognizer.recognize(dataclasses.replace(said, audio=0 * said.audio), [])
    assert silent.inputs is not None
    assert silent.inputs.prosody is None


def test_a_bundle_has_its_own_encoder(
    heard_job: Job, heard_bundle: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    """It is measured with that where none was trained; a bundle without says what to run."""
    elsewhere = dataclasses.replace(heard_job, runs=tmp_path)
    assert measure_gain(elsewhere, heard_bundle) == measure_gain(heard_job, heard_bundle)
    with pytest.raises(UserError, match=r"is missing: run python -m training\.prosody first"):
        measure_gain(elsewhere, tiny_bundle)


def test_published_prosody_is_scored(
    heard_job: Job, heard_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found beside the csv or named; without the voice the words alone are left."""
    table = heard_job.data / "meld" / "dev_sent_emo.csv"
    lone = tmp_path / table.name
    shutil.copyfile(table, lone)

    def loss(*words: object) -> float:
        options = ["--json", "--threads", "1"]
        capsys.readouterr()
        assert evaluate_main([str(heard_bundle), "meld", *map(str, words), *options]) == 0
        found: float = json.loads(capsys.readouterr().out)["ece"]
        return found

    beside = loss(table)
    assert loss(lone, "--prosody", table.with_name("meld_dev_audio_features.csv")) == beside
    words = loss(lone)
    assert words != beside
    assert loss(table, "--without", "audio") == words


def test_a_bundle_that_does_not_listen_refuses_prosody(
    heard_job: Job, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rather than score the words alone under that name."""
    table = heard_job.data / "meld" / "dev_sent_emo.csv"
    prosody = table.with_name("meld_dev_audio_features.csv")
    words = [str(tiny_bundle), "meld", str(table), "--prosody", str(prosody)]
    assert evaluate_main(words) == 2
    assert "does not read prosody" in capsys.readouterr().err


def test_spec_and_weights_must_agree(smoke: Smoke, heard_bundle: Path, tmp_path: Path) -> None:
    """A bundle whose fusion has no weights for prosody is refused with the reason."""
    bundle = tmp_path / "bundle"
    shutil.copytree(heard_bundle, bundle)
    weights = load_file(bundle / "fusion.safetensors")
    del weights["evidence_weights.prosody"]
    save_file(weights, bundle / "fusion.safetensors")
    write_manifest(bundle)
    assert read_spec(bundle).prosody
    with pytest.raises(UserError, match=r"evidence_weights\.prosody"):
        load(smoke, bundle)
