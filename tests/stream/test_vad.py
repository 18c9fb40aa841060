"""The voice detector, on its real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media_factory import tone

from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples
from stream.vad import WINDOW_SAMPLES, SileroVad


def _probabilities(vad: SileroVad, sound: Samples) -> list[float]:
    whole = len(sound) // WINDOW_SAMPLES * WINDOW_SAMPLES
    return [vad(window) for window in sound[:whole].reshape(-1, WINDOW_SAMPLES)]


def test_real_speech_is_heard_as_speech(silero: SileroVad, speech: Samples) -> None:
    """Most windows of a spoken sentence are speech, with near certainty somewhere."""
    heard = _probabilities(silero, speech)
    assert max(heard) > 0.95
    assert np.mean(np.array(heard) > 0.5) > 0.5


def test_silence_is_not_heard_as_speech(silero: SileroVad) -> None:
    """Digital silence never reaches the threshold that opens an utterance."""
    assert max(_probabilities(silero, np.zeros(SAMPLE_RATE, np.float32))) < 0.35


def test_a_pure_tone_is_not_heard_as_speech(silero: SileroVad) -> None:
    """Loudness alone is no speech."""
    assert np.mean(_probabilities(silero, tone(3, SAMPLE_RATE))) < 0.35


def test_reset_makes_it_hear_as_if_for_the_first_time(silero: SileroVad, speech: Samples) -> None:
    """The same sound after a reset gives the same probabilities."""
    first = _probabilities(silero, speech[:SAMPLE_RATE])
    again = _probabilities(silero, speech[:SAMPLE_RATE])
    silero.reset()
    assert again != first
    assert _probabilities(silero, speech[:SAMPLE_RATE]) == first


def test_a_window_of_another_length_is_refused(silero: SileroVad) -> None:
    """The network would take it and answer nonsense."""
    with pytest.raises(ValueError, match="512"):
        silero(np.zeros(480, np.float32))


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    """The message names the file and the command that fetches it."""
    with pytest.raises(UserError, match=r"none\.onnx; run `make setup`"):
        SileroVad(tmp_path / "none.onnx")


def test_a_file_that_is_no_model_says_what_to_do(tmp_path: Path) -> None:
    """Damaged weights are the user's to replace, without a traceback."""
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(UserError, match="not a Silero VAD model; delete it"):
        SileroVad(broken)
