"""The benchmark of voices counts right on vectors of known similarity, and refuses no data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.voice_clips import Voice
from benchmarks.voices import conversations, equal_error, main
from training.datasets.speech import SpeechClip


def voice(speaker: str, emotion: str, vector: list[float]) -> Voice:
    """A clip of two seconds."""
    clip = SpeechClip(Path("clip.wav"), "nemo", speaker, emotion, None)
    length = np.asarray(vector, np.float32) / np.float32(np.linalg.norm(vector))
    return Voice(clip, np.zeros(32_000, np.float32), length, length)


APART = [
    *(voice("A", "joy", [1, 0.1 * n, 0, 0]) for n in range(3)),
    *(voice("B", "joy", [0, 0.1 * n, 1, 0]) for n in range(3)),
]
MIXED = [*APART, voice("A", "anger", [0, 0, 1, 0]), voice("B", "anger", [1, 0, 0, 0])]


def test_voices_that_never_meet_have_no_errors() -> None:
    """Every pair is told right, and so is every turn of every conversation."""
    assert equal_error(APART, "nemo", windows=True)["all pairs"] == 0
    told = conversations(APART, 8)
    assert told["right"] == told["right where sure"] == 1
    assert told["people too many"] == told["people too few"] == 0


def test_voices_that_change_with_emotion_have_errors() -> None:
    """Two who sound like each other when angry are confused, in pairs and in conversations."""
    assert equal_error(MIXED, "nemo", windows=False)["all pairs"] > 0.2
    assert conversations(MIXED, 8)["right"] < 1


def test_a_folder_without_speech_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names what is expected."""
    assert main(["sound", "--data", str(tmp_path)]) == 2
    assert "no speech" in capsys.readouterr().err
