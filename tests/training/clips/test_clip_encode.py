"""Clips in training have the arrays that the same stretch of film has live."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from clip_factory import clock_sound, dialogue, in_this_process, whole, write_film
from tiny_model import spoken, talk_frames
from torch import Tensor

from engine.dialogue import Turn
from engine.faces import FaceDetector
from engine.model.calibration import Calibration
from engine.model.densenet import DenseNet, DenseNetConfig
from engine.model.encoders import Encoders, SpeechEncoder
from engine.model.model import EmotionModel, TurnInputs, load_base
from engine.model.prosody import ProsodyEncoder
from engine.model.recognizer import Recognizer
from engine.model.spec import ModelSpec, compact
from export.models import resolve
from stream.cutter import UtteranceCutter
from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples, Utterance
from stream.sources.container import Location
from stream.sources.reader import MediaReader
from training.clips.encode import encode_dialogues, scale_of
from training.clips.inputs import ClipPreparer
from training.clips.prepare import CLIPS
from training.datasets.clip import Clip, MediaCut
from training.datasets.dialogues import Dialogue
from training.smoke import Smoke

ARRAYS = ("video", "audio", "video_scores", "audio_scores")


def frame_spec(**changes: object) -> ModelSpec:
    """Whole grey frames through a DenseNet of three layers."""
    config = DenseNetConfig(8, (1, 1, 1), 8, "small", 2, 1, 7)
    video = dataclasses.replace(compact().video, source="frame", frames=6, densenet=config)
    audio = dataclasses.replace(compact().audio, hidden=16)
    return dataclasses.replace(compact(video=video, audio=audio), **changes)


def encoders_of(spec: ModelSpec, seed: int = 1) -> Encoders:
    """Untrained encoders."""
    torch.manual_seed(seed)
    speech = SpeechEncoder.of(spec.audio, len(spec.labels))
    return Encoders(spec, DenseNet(spec.video.densenet), speech)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are tested with `prepare`; here they would only take time."""
    monkeypatch.setattr("training.clips.prepare.map_isolated", in_this_process)


@pytest.fixture(scope="module")
def dialogues(tmp_path_factory: pytest.TempPathFactory) -> list[Dialogue]:
    """Turns with everything, without a clip, without sound, and with a clip that is gone."""
    folder = tmp_path_factory.mktemp("corpus")
    film = write_film(folder / "film.mkv", 3.0, sound=spoken(3.0))
    mute = write_film(folder / "mute.mp4", 1.0)
    first = dialogue(whole(film), None, whole(mute), name="a")
    return [first, dialogue(whole(folder / "none.mp4"), Clip(None, MediaCut(film)), name="b")]


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A talking face that says something twice, with a pause."""
    pause = np.zeros(SAMPLE_RATE, np.float32)
    said = np.concatenate([spoken(2.0), pause, spoken(2.4)])
    faces = talk_frames(54)
    path = tmp_path_factory.mktemp("talk") / "talk.mkv"
    return write_film(path, 5.4, picture=lambda number: faces[number].image, sound=said)


@pytest.fixture(scope="module")
def recognizer(smoke: Smoke) -> Recognizer:
    """The live side with untrained networks and the real face detector."""
    spec = smoke.spec
    model = EmotionModel(spec, *load_base(Path(spec.llm.base)))
    detector = FaceDetector(resolve("blazeface"))
    return Recognizer(model, encoders_of(spec), detector, Calibration())


def live_utterances(path: Path) -> list[Utterance]:
    """What the live path cuts from a film, with an ear for loudness."""

    def speaks(window: Samples) -> float:
        return float(np.abs(window).max() > 0.01)

    cutter = UtteranceCutter(speaks, participant="Ann")
    with closing(MediaReader(Location.of_file(path))) as reader:
        return [done for item in reader for done in cutter.push(item)] + cutter.flush()


def test_training_sees_what_live_sees(recognizer: Recognizer, talk: Path, tmp_path: Path) -> None:
    """A film through the live cutter and recogniser, and as clips of a corpus: equal arrays."""
    live = live_utterances(talk)
    assert [len(utterance.frames) > 10 for utterance in live] == [True, True]
    cuts = [MediaCut(talk, utterance.start, utterance.end) for utterance in live]
    clips = dialogue(*(Clip(cut, cut) for cut in cuts))
    (turns,) = encode_dialogues([clips], recognizer.encoders, tmp_path, 1)
    for utterance, turn, said in zip(live, turns, clips.utterances, strict=True):
        seen = recognizer.recognize(utterance.with_text(said.text), []).inputs
        assert seen is not None
        assert turn.text == seen.text
        for name in ARRAYS:
            assert torch.equal(getattr(turn, name), getattr(seen, name)), name


def test_prosody_of_a_clip_is_what_live_measures(
    recognizer: Recognizer, talk: Path, tmp_path: Path
) -> None:
    """Each turn against what its speaker said before; without an encoder there is none."""
    spec = recognizer.model.spec
    encoders = encoders_of(spec)
    encoders.prosody = ProsodyEncoder(len(spec.labels)).eval()
    hears = Recognizer(recognizer.model, encoders, None, Calibration())
    live = live_utterances(talk)
    cuts = [MediaCut(talk, utterance.start, utterance.end) for utterance in live]
    clips = dialogue(*(Clip(cut, cut) for cut in cuts))
    (turns,) = encode_dialogues([clips], encoders, tmp_path, 1)
    history: list[Turn] = []
    for utterance, turn, said in zip(live, turns, clips.utterances, strict=True):
        spoken_by = replace(utterance.with_text(said.text), participant=said.speaker)
        seen = hears.recognize(spoken_by, history).inputs
        assert seen is not None
        for name in ("prosody", "prosody_scores"):
            one, other = getattr(turn, name), getattr(seen, name)
            assert one is not None
            assert torch.equal(one.nan_to_num(), other.nan_to_num()), name
        history.append(Turn(said.speaker, said.text, seen))
    encoders.prosody = None
    assert all(turn.prosody is None for turn in encode_dialogues([clips], encoders, tmp_path, 1)[0])


def test_turns_have_what_their_clips_have(dialogues: list[Dialogue], tmp_path: Path) -> None:
    """Order, words, shapes, and absence where there is no clip or a broken one."""
    spec = frame_spec()
    encoded = encode_dialogues(dialogues, encoders_of(spec), tmp_path, 1)
    assert [len(turns) for turns in encoded] == [3, 2]
    has = [(turn.video is not None, turn.audio is not None) for turns in encoded for turn in turns]
    assert has == [(True, True), (False, False), (True, False), (False, False), (False, True)]
    assert vars(encoded[0][1]) == vars(TurnInputs("Ann", "Word 1..."))
    turn = encoded[0][0]
    assert (turn.shape.video_tokens, turn.shape.audio_tokens) == (spec.video.tokens, 2)
    assert turn.video_scores is not None
    assert turn.video_scores.exp().sum() == pytest.approx(1.0)


def test_tokens_can_be_trained_on(dialogues: list[Dialogue], tmp_path: Path) -> None:
    """Tensors of inference mode would stop an adapter's backward pass."""
    ((turn, *_), *_) = encode_dialogues(dialogues, encoders_of(frame_spec()), tmp_path, 1)
    for tokens in (turn.video, turn.audio):
        assert tokens is not None
        layer = torch.nn.Linear(tokens.shape[1], 1)
        layer(tokens).sum().backward()
        assert layer.weight.grad is not None


def test_features_are_computed_once(dialogues: list[Dialogue], tmp_path: Path) -> None:
    """The same network finds its features, equal to the last bit; another one computes."""
    spec = frame_spec()
    seen: list[int] = []

    class Watched(Encoders):
        def frames(self, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
            seen.append(len(pictures))
            return super().frames(pictures)

    def watched(seed: int, **changes: object) -> Watched:
        other = frame_spec(**changes)
        return Watched(other, encoders_of(spec, seed).densenet, encoders_of(spec).speech)

    first = encode_dialogues(dialogues, watched(1), tmp_path, 1)
    assert seen == [6, 6]
    again = encode_dialogues(dialogues, watched(1), tmp_path, 1)
    assert seen == [6, 6]
    for name in ARRAYS:
        assert torch.equal(getattr(first[0][0], name), getattr(again[0][0], name))
    encode_dialogues(dialogues, watched(2), tmp_path, 1)
    assert len(seen) == 4
    brighter = dataclasses.replace(spec.video, mean=0.1)
    encode_dialogues(dialogues, watched(1, video=brighter), tmp_path, 1)
    assert len(seen) == 6
    encode_dialogues(dialogues, watched(1, evidence=False), tmp_path, 1)
    assert len(seen) == 8


def frame_spec_without_evidence() -> ModelSpec:
    """As the paper: no label scores of the encoders, functionals as they are."""
    spec = frame_spec(evidence=False)
    return dataclasses.replace(spec, audio=dataclasses.replace(spec.audio, hidden=0))


def test_without_evidence_there_are_no_scores(dialogues: list[Dialogue], tmp_path: Path) -> None:
    """The paper's spec: tokens alone."""
    encoders = encoders_of(frame_spec_without_evidence())
    for _ in range(2):  # computed, then from the cache
        ((turn, *_), *_) = encode_dialogues(dialogues, encoders, tmp_path, 1)
        assert (turn.video_scores, turn.audio_scores) == (None, None)
        assert turn.audio is not None
        assert turn.audio.shape == (2, 88)


def test_inputs_follow_the_weights(dialogues: list[Dialogue], tmp_path: Path) -> None:
    """Weights of another precision (or device) take their inputs there, and results come back."""
    spec = frame_spec()
    expected = encode_dialogues(dialogues, encoders_of(spec), tmp_path, 1)
    encoders = encoders_of(spec)
    encoders.densenet.double()
    assert encoders.speech is not None
    encoders.speech.double()
    turns = encode_dialogues(dialogues, encoders, tmp_path, 1)
    for name in ARRAYS:
        one, other = getattr(turns[0][0], name), getattr(expected[0][0], name)
        assert (one.dtype, one.device.type) == (torch.float32, "cpu")
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_the_scale_is_that_of_all_windows(tmp_path: Path) -> None:
    """One pass clip by clip equals mean and deviation of all windows at once."""
    spec = frame_spec()
    rng = np.random.default_rng(3)
    clips, sounds = [], []
    for number, seconds in enumerate((1.0, 3.0, 4.5)):
        sound = rng.normal(0, 0.1, round(seconds * SAMPLE_RATE)).clip(-1, 1).astype(np.float32)
        path = write_film(tmp_path / f"{number}.wav", picture=None, sound=sound)
        clips.append(Clip(None, MediaCut(path)))
        sounds.append(ClipPreparer(spec.video, spec.audio, None)(clips[-1]).functionals)
    mean, deviation = scale_of([dialogue(*clips), dialogue(None, name="1")], spec, tmp_path / "c")
    windows = torch.from_numpy(np.concatenate(sounds))
    assert len(windows) == 1 + 2 + 4
    torch.testing.assert_close(mean, windows.double().mean(0).float())
    expected = windows.double().std(0).float().clamp_min(1e-6)
    torch.testing.assert_close(deviation, expected, rtol=1e-4, atol=1e-6)
    assert (deviation >= 1e-6).all()


def test_no_sound_has_no_scale(tmp_path: Path) -> None:
    """Nothing to standardise by is the user's to know."""
    film = write_film(tmp_path / "film.mp4", 0.5)
    with pytest.raises(UserError, match="no training clip has sound"):
        scale_of([dialogue(whole(film))], frame_spec(), tmp_path)


def test_one_window_has_a_scale(tmp_path: Path) -> None:
    """A single window deviates from itself by nothing, not by NaN."""
    path = write_film(tmp_path / "s.wav", picture=None, sound=clock_sound(1.0))
    spec = frame_spec()
    mean, deviation = scale_of([dialogue(Clip(None, MediaCut(path)))], spec, tmp_path)
    assert torch.isfinite(mean).all()
    assert (deviation == 1e-6).all()


def test_clips_are_prepared_below_the_cache(dialogues: list[Dialogue], tmp_path: Path) -> None:
    """Where `training.preprocess` puts them."""
    encode_dialogues(dialogues, encoders_of(frame_spec()), tmp_path, 1)
    assert len(list((tmp_path / CLIPS).rglob("*.safetensors"))) == 4
