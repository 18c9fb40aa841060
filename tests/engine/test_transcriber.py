"""Speech to text, with the real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.transcriber import Transcriber
from export.models import resolve
from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples

ASSETS = Path(__file__).parents[1] / "assets"


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    """Whisper tiny.en."""
    return Transcriber(resolve("whisper-tiny.en"))


@pytest.fixture(scope="module")
def speech() -> Samples:
    """Two sentences with a pause."""
    samples, rate = soundfile.read(ASSETS / "speech.wav", dtype="float32")
    assert rate == SAMPLE_RATE
    return np.asarray(samples, np.float32)


def silence() -> Samples:
    """Two seconds without a signal."""
    return np.zeros(2 * SAMPLE_RATE, np.float32)


def noise() -> Samples:
    """Three seconds of hiss."""
    return np.random.default_rng(0).normal(0, 0.05, 3 * SAMPLE_RATE).astype(np.float32)


def tone() -> Samples:
    """Three seconds of a flute that does not speak."""
    seconds = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * 220 * seconds)).astype(np.float32)


def test_speech_becomes_its_words(transcriber: Transcriber, speech: Samples) -> None:
    """Both sentences of the recording come out as they were read."""
    expected = (ASSETS / "speech.txt").read_text().splitlines()
    pause = 5 * SAMPLE_RATE
    assert [transcriber(speech[:pause]), transcriber(speech[pause:])] == expected


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0, np.float32), silence(), noise(), tone(), np.full(8000, np.nan, np.float32)],
    ids=["nothing", "silence", "noise", "tone", "nan"],
)
def test_no_words_are_made_up(transcriber: Transcriber, samples: Samples) -> None:
    """Where nobody speaks the text is empty."""
    assert transcriber(samples) == ""


def test_broken_sound_is_still_understood(transcriber: Transcriber, speech: Samples) -> None:
    """Clipping and single NaN samples do not cost the words."""
    broken = speech[: 5 * SAMPLE_RATE] * 50
    broken[::4000] = np.nan
    assert "best of times" in transcriber(broken)


def test_a_fragment_is_transcribed(transcriber: Transcriber, speech: Samples) -> None:
    """0.2 seconds of speech give a text of a word at most."""
    fragment = speech[int(0.6 * SAMPLE_RATE) : int(0.8 * SAMPLE_RATE)]
    assert len(transcriber(fragment).split()) <= 1


def test_what_nobody_wants_is_not_decoded(transcriber: Transcriber, speech: Samples) -> None:
    """Between two steps it ends by what the check raises."""

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        transcriber(speech[: 2 * SAMPLE_RATE], stop)


def test_wrong_folder(tmp_path: Path) -> None:
    """A folder without a model is the user's to put right."""
    with pytest.raises(UserError, match="holds no Whisper model"):
        Transcriber(tmp_path)
