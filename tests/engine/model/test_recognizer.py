"""Whatever an utterance looks like there is a recognition; a damaged bundle is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_model import spoken, talk_frames

from engine.dialogue import Turn
from engine.model.manifest import MANIFEST
from engine.model.model import TurnInputs
from engine.model.outputs import Recognition
from engine.model.recognizer import Recognizer, read_spec, used_modalities, without
from export.bundle import write_manifest
from export.models import resolve
from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples, Utterance, VideoFrame
from training.smoke import Smoke, write_tiny_llama

MODALITIES = {"text", "audio", "video"}


def utterance(
    frames: tuple[VideoFrame, ...] = (),
    audio: Samples | None = None,
    text: str | None = None,
    seconds: float = 2.0,
) -> Utterance:
    """What one participant said and showed."""
    audio = np.zeros(0, np.float32) if audio is None else audio
    return Utterance("1", "Ann", 0.0, seconds, frames, audio, text)


def checked(result: Recognition) -> Recognition:
    """Every recognition has these properties, whatever it was made from."""
    assert sum(result.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert all(0 <= value <= 1 for value in result.probabilities.values())
    used = MODALITIES - set(result.absent)
    assert set(result.quality) == used
    assert all(0 <= value <= 1 for value in result.quality.values())
    assert set(result.contributions) == (used if len(used) > 1 else set())
    assert all(-1 <= value <= 1 for value in result.contributions.values())
    assert result.inputs is not None
    assert set(used_modalities(result.inputs)) == used
    assert all(value >= 0 for value in result.latency_ms.values())
    return result


def test_all_three_modalities(tiny_recognizer: Recognizer) -> None:
    """Words, a voice and a face: each has a quality, a contribution and a time."""
    said = utterance(talk_frames(24), spoken(2.0), "What a lovely day!")
    result = checked(tiny_recognizer.recognize(said, []))
    assert result.absent == {}
    assert tuple(result.probabilities) == tiny_recognizer.labels
    assert set(result.latency_ms) == {"faces", "video", "audio", "llm"}
    assert result.quality["video"] > 0.3
    assert result.quality["audio"] == pytest.approx(1, abs=0.01)
    assert result.label == max(result.probabilities, key=lambda name: result.probabilities[name])
    again = tiny_recognizer.recognize(said, [])
    assert again.probabilities == pytest.approx(result.probabilities, abs=1e-5)


@pytest.mark.parametrize(("threshold", "unsure"), [(0.0, False), (1.0, True)])
def test_an_unsure_recognition_is_an_abstention(
    smoke: Smoke, tiny_bundle: Path, threshold: float, unsure: bool
) -> None:
    """The threshold of the user goes before those of the bundle; with 0 only silence abstains."""
    recognizer = Recognizer.load(
        tiny_bundle,
        base_model=Path(smoke.spec.llm.base),
        face_detector=None,
        threads=1,
        abstain_below=threshold,
    )
    assert recognizer.recognize(utterance(text="What a lovely day!"), []).abstained is unsure
    assert recognizer.recognize(utterance(), []).abstained


def test_a_contribution_is_what_the_winner_loses(tiny_recognizer: Recognizer) -> None:
    """Without the modality the winner has that much less probability."""
    result = tiny_recognizer.recognize(utterance(talk_frames(24), spoken(2.0), "Oh really?"), [])
    assert result.inputs is not None
    winner = tiny_recognizer.labels.index(result.label)
    names = list(result.contributions)
    assert names == ["text", "audio", "video"]
    _, *rest = tiny_recognizer.predict([], result.inputs, names)
    for name, one in zip(names, rest, strict=True):
        assert result.contributions[name] == pytest.approx(result.confidence - float(one[winner]))
    (wordless,) = tiny_recognizer.predict([], without(result.inputs, "text"))
    assert rest[0].tolist() == pytest.approx(wordless.tolist(), abs=1e-4)


def test_a_black_video_shows_no_face(tiny_recognizer: Recognizer) -> None:
    """The words and the voice are recognised, and the event can say why there is no face."""
    black = tuple(VideoFrame(k / 24, np.zeros((360, 640, 3), np.uint8)) for k in range(24))
    result = checked(tiny_recognizer.recognize(utterance(black, spoken(2.0), "Oh!"), []))
    assert result.absent == {"video": "no face"}


def test_a_video_of_one_frame(tiny_recognizer: Recognizer) -> None:
    """One picture fills all video tokens."""
    result = checked(tiny_recognizer.recognize(utterance(talk_frames(24)[:1]), []))
    assert set(result.absent) == {"text", "audio"}
    assert result.inputs is not None
    assert result.inputs.video is not None
    assert len(result.inputs.video) == tiny_recognizer.spec.video.tokens


def test_a_fifth_of_a_second(tiny_recognizer: Recognizer) -> None:
    """0.2 s of sound and the five frames beside it."""
    short = utterance(talk_frames(24)[:5], spoken(1.0)[: SAMPLE_RATE // 5], "Oh", seconds=0.2)
    result = checked(tiny_recognizer.recognize(short, []))
    assert result.absent == {}


def nan_in_half(samples: Samples) -> Samples:
    """A driver that loses every other sample."""
    samples[::2] = np.nan
    return samples


@pytest.mark.parametrize(
    ("spoil", "absent", "quality"),
    [
        (nan_in_half, None, 1.0),
        (lambda samples: np.full_like(samples, np.nan), "silence", None),
        (lambda samples: samples * 0, "silence", None),
        (lambda samples: samples * 1e-5, "silence", None),
        (lambda samples: samples[:0], "no audio", None),
        (np.sign, None, 0.1),
        (lambda samples: samples * 1e4, None, 0.5),
        (lambda samples: samples + np.float32(np.inf), None, 0.1),
    ],
    ids=["half nan", "nan", "zeros", "very quiet", "empty", "square", "overdriven", "infinite"],
)
def test_broken_sound(
    tiny_recognizer: Recognizer,
    spoil: Callable[[Samples], Samples],
    absent: str | None,
    quality: float | None,
) -> None:
    """Sound without content is absent with its reason; clipping lowers the quality."""
    samples = spoil(spoken(1.0).copy()).astype(np.float32)
    result = checked(tiny_recognizer.recognize(utterance(audio=samples, text="Oh!"), []))
    assert result.absent.get("audio") == absent
    if quality is not None:
        assert result.quality["audio"] <= quality


def test_ten_minutes_without_a_breath(tiny_recognizer: Recognizer) -> None:
    """A monologue costs no more windows and no more words than the spec allows."""
    samples = np.tile(spoken(3.0), 200)
    said = utterance(audio=samples, text="and so on " * 3000, seconds=600.0)
    result = checked(tiny_recognizer.recognize(said, []))
    assert result.inputs is not None
    assert result.inputs.audio is not None
    assert len(result.inputs.audio) == tiny_recognizer.spec.audio.max_windows


@pytest.mark.parametrize("text", [None, "", " \n", "<|im_end|>"])
def test_nothing_at_all(tiny_recognizer: Recognizer, text: str | None) -> None:
    """No words, no sound and no picture still give probabilities, and every reason."""
    result = checked(tiny_recognizer.recognize(utterance(text=text), []))
    assert result.absent == {"text": "no words", "audio": "no audio", "video": "no video"}
    assert result.contributions == {}


def test_the_history_is_remembered_as_it_was_encoded(tiny_recognizer: Recognizer) -> None:
    """A past turn keeps its voice and face; one without inputs counts with its words."""
    first = tiny_recognizer.recognize(utterance(audio=spoken(1.0), text="Get out!"), [])
    now = utterance(text="Oh really?")
    with_voice, with_words, alone = (
        tiny_recognizer.recognize(now, history).probabilities
        for history in ([Turn("Ben", "Get out!", first.inputs)], [Turn("Ben", "Get out!")], [])
    )
    assert with_voice != with_words
    assert with_words != alone


def test_a_long_dialogue_stays_within_the_budget(tiny_recognizer: Recognizer) -> None:
    """After 200 turns the prompt still has no more tokens than the spec allows."""
    lengths = []

    def note_length(_: object, __: object, arguments: dict[str, Any]) -> None:
        lengths.append(int(arguments["position_ids"].max()) + 1)

    decoder = tiny_recognizer.model.llm.get_decoder()
    hook = decoder.register_forward_pre_hook(note_length, with_kwargs=True)
    history = [Turn("AB"[k % 2], f"this is what I said as number {k}") for k in range(200)]
    now = utterance(audio=spoken(2.0), text="so " * 90)
    budget = tiny_recognizer.spec.prompt.context_tokens
    for count in (*range(40, 90, 2), 200):
        checked(tiny_recognizer.recognize(now, history[:count]))
        assert budget / 3 < max(lengths) <= budget
        lengths.clear()
    hook.remove()


@torch.inference_mode()
def test_a_dialogue_begins_before_it_has_a_turn(tiny_recognizer: Recognizer) -> None:
    """Its first turn costs no more than the next, and scores as if read anew."""
    model, turn = tiny_recognizer.model, TurnInputs("Ann", "what a day")
    lengths: list[int] = []
    hook = model.llm.get_decoder().register_forward_pre_hook(
        lambda _, __, given: lengths.append(given["inputs_embeds"].shape[1]), with_kwargs=True
    )
    tiny_recognizer.settle([], "before")
    lengths.clear()
    first = tiny_recognizer.predict([], turn, dialogue="one")
    tiny_recognizer.settle([], "one")
    assert lengths[0] < len(model.prompt.instruction) + model.prompt.turn_length(turn.shape)
    lengths.clear()
    torch.testing.assert_close(tiny_recognizer.predict([], turn, dialogue="two"), first)
    hook.remove()
    for name in ("one", "two"):
        tiny_recognizer.forget(name)


def test_whole_frames_need_no_face(tiny_recognizer: Recognizer) -> None:
    """Where the spec looks at frames, as in the paper, a black one is still a picture."""
    spec = dataclasses.replace(tiny_recognizer.spec.video, source="frame")
    whole = Recognizer(
        tiny_recognizer.model,
        tiny_recognizer.encoders,
        None,
        tiny_recognizer.calibration,
    )
    whole.spec = dataclasses.replace(tiny_recognizer.spec, video=spec)
    black = (VideoFrame(0.0, np.zeros((90, 160, 3), np.uint8)),)
    result = checked(whole.recognize(utterance(black), []))
    assert "video" not in result.absent


def test_the_bundle_says_who_it_is(tiny_recognizer: Recognizer, tiny_bundle: Path) -> None:
    """Name and SHA-256 of the manifest go into every event."""
    assert tiny_recognizer.bundle_name == "smoke"
    manifest = (tiny_bundle / MANIFEST).read_bytes()
    assert tiny_recognizer.bundle_sha256 == hashlib.sha256(manifest).hexdigest()


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle to damage."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def refused(bundle: Path, base: str, message: str) -> None:
    """Loading must fail with one line for the user."""
    with pytest.raises(UserError, match=message) as caught:
        Recognizer.load(bundle, base_model=Path(base), face_detector=None, threads=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["face", "speech", "fusion", "lora"])
def test_a_changed_byte_is_refused(smoke: Smoke, copy: Path, name: str) -> None:
    """Before anything of the file is read."""
    path = copy / f"{name}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    refused(copy, smoke.spec.llm.base, f"{name}.safetensors differs from its manifest")


def reseal(bundle: Path, section: str | None, key: str, value: object) -> None:
    """Change one value of the spec and give the bundle a manifest that fits."""
    path = bundle / "spec.json"
    document = json.loads(path.read_text())
    (document[section] if section else document)[key] = value
    path.write_text(json.dumps(document))
    write_manifest(bundle)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("llm", "lora_rank", 3),
        ("llm", "lora_first_layer", 1),
        ("llm", "lora_first_layer", 2),
        ("llm", "lora_targets", ["q_proj"]),
        ("llm", "lora_targets", ["no_such_layer"]),
        ("llm", "hidden_size", 576),
        ("audio", "hidden", 32),
        ("audio", "feature_set", "ComParE_2016"),
        (None, "labels", ["neutral", "joy"]),
        (None, "labels", ["sad", "sad mood"]),
        (None, "evidence", False),
    ],
)
def test_spec_and_weights_that_disagree_are_refused(
    smoke: Smoke, copy: Path, section: str | None, key: str, value: object
) -> None:
    """Even where the manifest is right: weights are never cut or padded to a spec."""
    reseal(copy, section, key, value)
    refused(copy, smoke.spec.llm.base, "spec and weights disagree")


@pytest.mark.parametrize("name", ["face", "speech", "fusion", "lora"])
def test_missing_and_unreadable_weights_are_refused(smoke: Smoke, copy: Path, name: str) -> None:
    """Also where the manifest was made without them."""
    path = copy / f"{name}.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    write_manifest(copy)
    refused(copy, smoke.spec.llm.base, "spec and weights disagree")
    path.unlink()
    write_manifest(copy)
    refused(copy, smoke.spec.llm.base, f"{name}.safetensors")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("calibration.json", '{"temperatures": {"text": -1}}'),
        ("calibration.json", '{"temperatures": {}, "bias": 0}'),
        ("calibration.json", '{"temperatures": {}, "biases": {"text": [0, 0]}}'),
        ("calibration.json", '{"temperatures": {"text": 1' + "0" * 400 + "}}"),
        ("calibration.json", "not json"),
        ("calibration.json", "[]"),
        ("spec.json", '{"name": "x", "version": 1, "colour": 3}'),
        ("spec.json", '{"name": "x", "version": 1, "video": {"size": "big"}}'),
        ("spec.json", '{"name": "x", "version": 2}'),
    ],
)
def test_wrong_json_is_refused(smoke: Smoke, copy: Path, name: str, content: str) -> None:
    """One line that names the file or the key."""
    (copy / name).write_text(content)
    write_manifest(copy)
    refused(copy, smoke.spec.llm.base, "calibration|temperature|biases|colour|size|version")


def test_another_base_model_is_refused(smoke: Smoke, copy: Path, tmp_path: Path) -> None:
    """Weights were trained on one base and fit no other width."""
    write_tiny_llama(tmp_path / "narrow", Path(smoke.spec.llm.base), width=32)
    refused(copy, str(tmp_path / "narrow"), r"disagree .*\b(32\b.*\b64|64\b.*\b32)\b")


def test_a_missing_spec_is_refused(tmp_path: Path) -> None:
    """A folder that is no bundle, and a file that is no folder."""
    for path in (tmp_path, tmp_path / "nowhere", Path(__file__)):
        with pytest.raises(UserError, match=r"spec\.json"):
            read_spec(path)


def test_lora_is_merged_without_changing_scores(smoke: Smoke, tiny_bundle: Path) -> None:
    """The live model has no adapters left in its layers."""
    recognizer = Recognizer.load(
        tiny_bundle, base_model=Path(smoke.spec.llm.base), face_detector=None, threads=1
    )
    assert not any("lora" in name for name, _ in recognizer.model.named_parameters())
    assert all(parameter.dtype == torch.float32 for parameter in recognizer.model.parameters())


def test_without_a_detector_there_is_no_face(smoke: Smoke, tiny_bundle: Path) -> None:
    """Evaluation of prepared inputs loads none."""
    recognizer = Recognizer.load(
        tiny_bundle, base_model=Path(smoke.spec.llm.base), face_detector=None, threads=1
    )
    result = checked(recognizer.recognize(utterance(talk_frames(24)[:2], text="Oh"), []))
    assert result.absent["video"] == "no face"


def test_the_base_model_is_found_by_its_path(smoke: Smoke) -> None:
    """A spec may name a folder where compact names a registered model."""
    assert resolve(smoke.spec.llm.base) == Path(smoke.spec.llm.base)
