"""A speaker's clips are heard one after the other, in training as live."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import soundfile
import torch
from tiny_model import spoken

from engine.dialogue import Turn
from engine.model.calibration import Calibration
from engine.model.densenet import DenseNet
from engine.model.encoders import Encoders, SpeechEncoder
from engine.model.model import EmotionModel, load_base
from engine.model.recognizer import Recognizer
from engine.model.spec import ModelSpec
from stream.media import SAMPLE_RATE, Samples, Utterance
from training.datasets.heard import heard_order
from training.datasets.speech import SpeechClip, load_audio
from training.smoke import Smoke
from training.voice.encode import encode_voices
from training.voice.features import clip_key


@pytest.fixture
def spec(smoke: Smoke) -> ModelSpec:
    """The tiny one, with 20 functionals that are normalised by speaker."""
    audio = dataclasses.replace(smoke.spec.audio, selected=20, speaker_normalised=True)
    return dataclasses.replace(smoke.spec, audio=audio)


@pytest.fixture
def encoders(spec: ModelSpec) -> Encoders:
    """Untrained, with a scale of real speech."""
    torch.manual_seed(0)
    encoders = Encoders(
        spec, DenseNet(spec.video.densenet), SpeechEncoder.of(spec.audio, len(spec.labels))
    )
    encoders.speech.select(torch.arange(5, 85, 4))
    encoders.speech.fit_scale(torch.randn(50, spec.audio.features))
    return encoders


def write_clips(folder: Path) -> list[SpeechClip]:
    """Two clips of one speaker and one of another, cut from real speech."""
    whole = spoken(3.4)
    parts = {"a": whole[:36000], "b": whole[20000:], "c": whole[10000:30000] / 2}
    for name, samples in parts.items():
        soundfile.write(folder / f"{name}.wav", samples, SAMPLE_RATE, "PCM_16")
    return [
        SpeechClip(folder / "a.wav", "ravdess", "1", "joy", None),
        SpeechClip(folder / "b.wav", "ravdess", "1", "anger", None),
        SpeechClip(folder / "c.wav", "ravdess", "2", "fear", None),
    ]


def say(samples: Samples, participant: str) -> Utterance:
    """An utterance without words or pictures."""
    return Utterance("1", participant, 0.0, len(samples) / SAMPLE_RATE, (), samples, None)


def test_training_and_live_hear_the_same(
    smoke: Smoke, spec: ModelSpec, encoders: Encoders, tmp_path: Path
) -> None:
    """Two speakers in turn: tokens and scores of every utterance are equal, bit for bit."""
    clips = write_clips(tmp_path)
    encoded = encode_voices(clips, encoders, tmp_path / "cache")
    llm, tokenizer = load_base(Path(smoke.spec.llm.base))
    recognizer = Recognizer(EmotionModel(spec, llm, tokenizer), encoders, None, Calibration())
    history: list[Turn] = []
    for index in heard_order(clips):
        speaker = clips[index].speaker
        live = recognizer.recognize(say(load_audio(clips[index].path), speaker), history).inputs
        assert live is not None
        assert live.audio is not None
        assert torch.equal(live.audio, encoded[index].tokens)
        assert live.audio_scores is not None
        assert encoded[index].scores is not None
        assert torch.equal(live.audio_scores, encoded[index].scores)
        history.append(Turn(speaker, None, live))


def test_a_later_clip_is_relative_to_the_earlier_one(encoders: Encoders, tmp_path: Path) -> None:
    """Heard alone it is another, the first and the other speaker's clip are the same."""
    clips = write_clips(tmp_path)
    together = encode_voices(clips, encoders, tmp_path / "cache")
    alone = [encode_voices([clip], encoders, tmp_path / "cache")[0] for clip in clips]
    first, second = (index for index in heard_order(clips) if clips[index].speaker == "1")
    kept = encoders.spec.audio.kept
    assert torch.equal(together[first].tokens, alone[first].tokens)
    assert torch.equal(together[2].tokens, alone[2].tokens)
    assert torch.equal(together[second].tokens[:, :kept], alone[second].tokens[:, :kept])
    assert not torch.equal(together[second].tokens, alone[second].tokens)


def test_a_forgotten_speaker_is_unknown_again(encoders: Encoders, tmp_path: Path) -> None:
    """With one clip of memory every clip is heard as if it were the first."""
    clips = write_clips(tmp_path)
    forgotten = encode_voices(clips, encoders, tmp_path / "cache", forget_after=1)
    alone = [encode_voices([clip], encoders, tmp_path / "cache")[0] for clip in clips]
    for one, other in zip(forgotten, alone, strict=True):
        assert torch.equal(one.tokens, other.tokens)


def test_scores_from_elsewhere_replace_the_encoders_own(encoders: Encoders, tmp_path: Path) -> None:
    """By the key of the clip; the tokens carry them after the functionals."""
    clips = write_clips(tmp_path)
    own = encode_voices(clips, encoders, tmp_path / "cache")
    unseen = {
        clip_key(clip): torch.randn(len(one.tokens), 7)
        for clip, one in zip(clips, own, strict=True)
    }
    other = encode_voices(clips, encoders, tmp_path / "cache", unseen)
    width = encoders.spec.audio.width
    for clip, one, replaced in zip(clips, own, other, strict=True):
        assert torch.equal(one.tokens[:, :width], replaced.tokens[:, :width])
        expected = unseen[clip_key(clip)].log_softmax(1)
        torch.testing.assert_close(replaced.tokens[:, width:], expected)
