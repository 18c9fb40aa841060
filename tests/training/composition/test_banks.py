"""Banks hold what the encoders say of each picture and clip, under its label."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.model.encoders import Encoders
from engine.model.fusion import audio_features, video_features
from engine.model.inputs import picture_tensor
from engine.model.recognizer import Recognizer
from training.composition.banks import face_bank, voice_bank
from training.datasets.fer2013 import Fer2013, read_fer2013
from training.datasets.labels import MELD_INDEX
from training.datasets.speech import find_speech
from training.smoke import Smoke
from training.voice.features import clip_key


@pytest.fixture
def encoders(tiny_recognizer: Recognizer) -> Encoders:
    """Trained for a moment."""
    return tiny_recognizer.encoders


@pytest.fixture
def faces(smoke: Smoke) -> Fer2013:
    """35 pictures, five of each label."""
    return read_fer2013(smoke.data / "fer2013", "PublicTest")


def test_a_face_is_what_the_encoder_sees(encoders: Encoders, faces: Fer2013) -> None:
    """Without a seed every picture is taken as it is, under its majority, with its votes."""
    bank = face_bank(encoders, faces)
    assert {label: len(samples) for label, samples in bank.items()} == dict.fromkeys(range(7), 5)
    spec = encoders.spec
    for label, samples in bank.items():
        for sample in samples:
            assert sample.tokens.shape == (spec.video.tokens, video_features(spec))
            assert sample.target.tolist() == torch.eye(7)[label].tolist()
    for row in (0, 11):
        alone = encoders.video(picture_tensor(faces.images[[row]], spec.video))
        samples = bank[int(faces.majority[row])]
        gaps = [float((alone.tokens - sample.tokens).abs().max()) for sample in samples]
        assert sum(gap < 1e-4 for gap in gaps) == 1


def test_training_faces_are_augmented_by_a_seed(encoders: Encoders, faces: Fer2013) -> None:
    """The seed decides all of it, and at most so many of a label are taken."""
    one, same, other = (face_bank(encoders, faces, limit=3, seed=seed) for seed in (1, 1, 2))
    assert {label: len(samples) for label, samples in one.items()} == dict.fromkeys(range(7), 3)
    for label, samples in one.items():
        for sample, twin in zip(samples, same[label], strict=True):
            assert torch.equal(sample.tokens, twin.tokens)
    assert not torch.equal(one[0][0].tokens, other[0][0].tokens)


def test_a_voice_is_what_the_encoder_hears(
    smoke: Smoke, encoders: Encoders, feature_cache: Path
) -> None:
    """Every clip is under its label; scores out of fold replace the encoder's own."""
    clips = find_speech(smoke.data)
    own = voice_bank(encoders, clips, feature_cache)
    assert sum(map(len, own.values())) == len(clips) == 24
    assert len(own[MELD_INDEX["neutral"]]) == 6  # neutral and calm
    unseen = {clip_key(clip): torch.randn(1, 7) for clip in clips}
    other = voice_bank(encoders, clips, feature_cache, unseen)
    expected = {tuple(scores.log_softmax(1)[0].tolist()) for scores in unseen.values()}
    assert {tuple(s.scores.tolist()) for samples in other.values() for s in samples} == expected
    for label, samples in other.items():
        for sample, heard in zip(samples, own[label], strict=True):
            features = encoders.spec.audio.features
            assert sample.tokens.shape == (1, audio_features(encoders.spec))
            assert torch.equal(sample.tokens[:, :features], heard.tokens[:, :features])
            assert sample.target.tolist() == torch.eye(7)[label].tolist()
