"""Real functionals of openSMILE and a real DenseNet: finite, repeatable, any length."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_model import spoken

from engine.model.densenet import DenseNet
from engine.model.encoders import Encoders, SpeechEncoder
from engine.model.fusion import audio_features, video_features
from engine.model.speaker import SpeakerScale
from engine.model.spec import AudioSpec, ModelSpec
from stream.media import SAMPLE_RATE, Samples
from training.smoke import smoke_recipe

SPEC = smoke_recipe(Path("base")).spec


def build(spec: ModelSpec) -> Encoders:
    """Untrained encoders of a spec."""
    torch.manual_seed(0)
    speech = SpeechEncoder.of(spec.audio, len(spec.labels))
    return Encoders(spec, DenseNet(spec.video.densenet), speech)


@pytest.fixture(scope="module")
def encoders() -> Encoders:
    """Those of the tiny spec."""
    return build(SPEC)


def test_speech_gives_a_token_for_each_window(encoders: Encoders) -> None:
    """Three seconds are two windows; the scores are log-probabilities of the utterance."""
    encoded = encoders.audio(spoken(3.0))
    assert encoded.tokens.shape == (2, audio_features(SPEC))
    assert encoded.scores is not None
    assert encoded.scores.shape == (7,)
    assert encoded.scores.exp().sum().item() == pytest.approx(1, abs=1e-5)
    assert torch.equal(encoded.tokens, encoders.audio(spoken(3.0)).tokens)


def broken(kind: str) -> Samples:
    """Sound as a bad driver or a bad file gives it."""
    samples = spoken(1.0).copy()
    if kind == "nan":
        samples[::3] = np.nan
    elif kind == "infinite":
        samples[100:200] = np.inf
        samples[300:400] = -np.inf
    elif kind == "clipped":
        samples = np.sign(samples).astype(np.float32)
    elif kind == "too loud":
        samples = samples * 1000
    elif kind == "all nan":
        samples[:] = np.nan
    return samples


@pytest.mark.parametrize("kind", ["nan", "infinite", "clipped", "too loud", "all nan"])
def test_broken_sound_gives_finite_tokens(encoders: Encoders, kind: str) -> None:
    """No NaN reaches the language model."""
    encoded = encoders.audio(broken(kind))
    assert torch.isfinite(encoded.tokens).all()
    assert encoded.scores is not None
    assert torch.isfinite(encoded.scores).all()


@pytest.mark.parametrize("samples", [1, 160, SAMPLE_RATE // 5])
def test_short_sound_is_one_token(encoders: Encoders, samples: int) -> None:
    """A fifth of a second, or a single sample."""
    encoded = encoders.audio(spoken(1.0)[4000 : 4000 + samples])
    assert encoded.tokens.shape == (1, audio_features(SPEC))
    assert torch.isfinite(encoded.tokens).all()


def test_video_is_the_same_in_one_or_many_batches(encoders: Encoders) -> None:
    """130 pictures, encoded at once or as they arrive, pool to the same tokens and scores."""
    size, channels = SPEC.video.size, SPEC.video.densenet.in_channels
    pictures = torch.randn(130, channels, size, size)
    whole = encoders.video(pictures)
    assert whole.tokens.shape == (SPEC.video.tokens, video_features(SPEC))
    for length in (1, 37, 64, 130):
        parts = [encoders.frames(part) for part in torch.split(pictures, length)]
        logits = torch.cat([part for _, part in parts if part is not None])
        pooled = encoders.pool(torch.cat([features for features, _ in parts]), logits)
        torch.testing.assert_close(pooled.tokens, whole.tokens)
        torch.testing.assert_close(pooled.scores, whole.scores)


def test_one_picture_fills_all_video_tokens(encoders: Encoders) -> None:
    """A film of one frame."""
    size, channels = SPEC.video.size, SPEC.video.densenet.in_channels
    encoded = encoders.video(torch.randn(1, channels, size, size))
    assert torch.equal(encoded.tokens[0], encoded.tokens[1])
    assert encoded.scores is not None
    assert encoded.scores.exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_encoders_are_frozen_and_repeatable(encoders: Encoders) -> None:
    """Batch norm and dropout are off, so that nobody's frame changes another's features."""
    assert encoders.speech is not None
    for network in (encoders.densenet, encoders.speech):
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
    size, channels = SPEC.video.size, SPEC.video.densenet.in_channels
    pictures = torch.randn(4, channels, size, size)
    before = {key: value.clone() for key, value in encoders.densenet.state_dict().items()}
    alone, together = encoders.frames(pictures[:1])[0], encoders.frames(pictures)[0]
    torch.testing.assert_close(alone, together[:1])
    assert all(torch.equal(v, before[k]) for k, v in encoders.densenet.state_dict().items())


def test_standardised_functionals_have_unit_scale() -> None:
    """Mean 0 and deviation 1 on what the scale was fitted to; outliers end at 5 deviations."""
    encoder = SpeechEncoder(4, 8, 7)
    functionals = torch.randn(200, 4) * torch.tensor([1e-4, 1.0, 1e5, 0.0]) + 3
    encoder.fit_scale(functionals)
    standardised = encoder.standardise(functionals)
    torch.testing.assert_close(standardised.mean(0), torch.zeros(4), atol=1e-2, rtol=0)
    torch.testing.assert_close(standardised[:, :3].std(0), torch.ones(3), atol=3e-2, rtol=0)
    assert standardised[:, 3].abs().max() == 0
    far = encoder.standardise(torch.tensor([[1e9, -1e9, 1e9, 1e9]]))
    assert far.tolist() == [[5, -5, 5, 5]]


def test_scores_from_elsewhere_replace_the_encoders_own(encoders: Encoders) -> None:
    """Training gives scores of an encoder that never heard the speaker; tokens carry them too."""
    functionals = torch.randn(3, SPEC.audio.features)
    elsewhere = torch.randn(3, 7)
    own, other = encoders.functionals(functionals), encoders.functionals(functionals, elsewhere)
    features = SPEC.audio.features
    assert torch.equal(own.tokens[:, :features], other.tokens[:, :features])
    torch.testing.assert_close(other.tokens[:, features:], elsewhere.log_softmax(1))
    torch.testing.assert_close(other.scores, elsewhere.mean(0).log_softmax(0))


def test_without_evidence_only_features_are_given() -> None:
    """As in the paper: no label scores of the encoders anywhere."""
    spec = dataclasses.replace(SPEC, evidence=False)
    encoders = build(spec)
    size, channels = spec.video.size, spec.video.densenet.in_channels
    video = encoders.video(torch.randn(3, channels, size, size))
    audio = encoders.functionals(torch.randn(2, spec.audio.features))
    assert video.scores is audio.scores is None
    assert video.tokens.shape == (spec.video.tokens, 2 * spec.video.densenet.features)
    assert audio.tokens.shape == (2, spec.audio.features)


def test_chosen_functionals_of_a_speaker() -> None:
    """Columns are kept in ascending order; the second half is relative to the speaker's past."""
    encoder = SpeechEncoder(6, 8, 7, selected=3, speaker_normalised=True)
    with pytest.raises(ValueError, match="2 functionals were chosen, the spec keeps 3"):
        encoder.select(torch.tensor([1, 2]))
    encoder.select(torch.tensor([4, 1, 5]))
    functionals = torch.arange(12.0).reshape(2, 6) / 4
    standardised = encoder.standardise(functionals)
    assert torch.equal(standardised, functionals[:, [1, 4, 5]])
    unknown = encoder.describe(standardised)
    assert torch.equal(unknown, torch.cat([standardised, standardised], 1))
    scale = SpeakerScale.unknown(3).heard(torch.ones(8, 3))
    known = encoder.describe(standardised, scale)
    assert torch.equal(known[:, 3:], scale.normalise(standardised))
    assert encoder.eval()(functionals, scale).shape == (2, 7)


def test_an_old_encoder_still_fits() -> None:
    """Without a selection the weights have the names that shipped bundles have."""
    encoder = SpeechEncoder.of(AudioSpec(hidden=4), 7)
    layers = {f"layers.{place}.{name}" for place in (0, 3, 6) for name in ("weight", "bias")}
    assert set(encoder.state_dict()) == {"mean", "deviation"} | layers
    assert AudioSpec().width == AudioSpec().features
