"""Tests of the vector of a voice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from transformers.audio_utils import mel_filter_bank, spectrogram
from voice_double import another_voice

from engine.voices import VoiceEmbedding
from engine.voices.embedding import SIZE, _windows, mel_spectrogram
from stream.errors import UserError
from stream.media import Samples


def test_the_spectrogram_is_that_of_the_training(sentences: list[Samples]) -> None:
    """Slaney's mel bands of periodic Hann windows, as transformers computes them."""
    filters = mel_filter_bank(201, 40, 0, 8000, 16_000, norm="slaney", mel_scale="slaney")
    expected = spectrogram(
        sentences[0].astype(np.float64),
        np.hanning(401)[:-1],
        frame_length=400,
        hop_length=160,
        power=2.0,
        pad_mode="constant",
        mel_filters=filters,
    ).T
    found = mel_spectrogram(sentences[0])
    assert found.shape == (361, 40)
    np.testing.assert_allclose(found, expected, atol=1e-6 * expected.max())


def test_a_tone_is_in_its_band() -> None:
    """1 kHz is 15 mel of 45.25 to 8 kHz, so the band of peak 14 of 41 steps."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    assert set(mel_spectrogram(tone)[5:-5].argmax(1)) == {13}


@pytest.mark.parametrize(
    ("frames", "shape"),
    [(90, (1, 90)), (160, (1, 160)), (199, (1, 160)), (200, (2, 160)), (361, (4, 160))],
)
def test_windows_cover_the_sound(frames: int, shape: tuple[int, int]) -> None:
    """Every 0.8 s one begins; the last one is at least three quarters sound."""
    mel = np.repeat(np.arange(1, frames + 1, dtype=np.float32)[:, None], 40, 1)
    windows = _windows(mel)
    assert windows.shape == (*shape, 40)
    assert windows[:, 0, 0].tolist() == [1 + 80 * index for index in range(shape[0])]
    assert (windows[-1, :, 0] > 0).mean() >= 0.75


def test_a_vector_has_length_one(embed: VoiceEmbedding, sentences: list[Samples]) -> None:
    """Its numbers are at least 0, as the last layer is a ReLU."""
    vector = embed(sentences[0])
    assert vector is not None
    assert vector.shape == (SIZE,)
    assert vector.dtype == np.float32
    assert vector.min() >= 0
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_one_voice_is_more_alike_than_two(embed: VoiceEmbedding, sentences: list[Samples]) -> None:
    """Other words of one voice are nearer than the same words of another one."""
    first, second = (embed(sentence) for sentence in sentences)
    other = embed(another_voice(sentences[0]))
    assert first is not None
    assert second is not None
    assert other is not None
    assert first @ second > 0.75
    assert first @ other < 0.6


@pytest.mark.parametrize("gain", [0.02, 3.0])
def test_level_does_not_matter(
    embed: VoiceEmbedding, sentences: list[Samples], gain: float
) -> None:
    """A quiet or loud microphone hears the same voice."""
    first, second = embed(sentences[0]), embed(np.float32(gain) * sentences[0])
    assert first is not None
    assert second is not None
    np.testing.assert_allclose(first, second, atol=1e-3)


@pytest.mark.parametrize(
    "sound", [np.zeros(0), np.zeros(32_000), np.full(32_000, 1e-7), np.ones(6_000)]
)
def test_silence_and_snippets_have_no_vector(embed: VoiceEmbedding, sound: Samples) -> None:
    """Nothing is known of a voice that is not heard."""
    assert embed(sound.astype(np.float32)) is None


def test_a_missing_file_names_the_next_step(tmp_path: Path) -> None:
    """Without weights the message says how to get them."""
    with pytest.raises(UserError, match="make setup"):
        VoiceEmbedding(tmp_path / "none.onnx")


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A file that is no such network names the command that fetches it."""
    path = tmp_path / "other.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(UserError, match=r"export\.models speaker-embedding"):
        VoiceEmbedding(path)
