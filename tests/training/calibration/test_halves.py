"""Halves of dev share no speaker and no picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.calibration.halves import half_of_faces, half_of_voices
from training.datasets.fer2013 import Fer2013
from training.datasets.speech import SpeechClip


def clips(corpus: str, *speakers: str) -> list[SpeechClip]:
    """Two clips of each."""
    return [
        SpeechClip(Path(f"{speaker}-{n}.wav"), corpus, speaker, "joy", None)
        for speaker in speakers
        for n in range(2)
    ]


def test_speakers_are_parted_within_each_corpus() -> None:
    """Each half has speakers of every corpus, and all their clips."""
    found = clips("ravdess", "20", "17", "18", "19") + clips("nemo", "EB0", "KS0")
    first, second = half_of_voices(found, 1), half_of_voices(found, 2)
    assert {clip.speaker for clip in first} == {"17", "18", "EB0"}
    assert {clip.speaker for clip in second} == {"19", "20", "KS0"}
    assert len(first) == len(second) == 6


def test_a_speaker_alone_is_in_both() -> None:
    """Without a voice there would be nothing to compose."""
    found = clips("emodb", "13")
    assert half_of_voices(found, 1) == half_of_voices(found, 2) == found


def test_pictures_alternate() -> None:
    """With their labels and votes."""
    images = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 48, 48), np.uint8)
    numbers = np.arange(5)
    data = Fer2013(images, numbers, np.zeros((5, 7), np.float32), numbers, numbers > 2)
    assert half_of_faces(data, 1).labels.tolist() == [0, 2, 4]
    second = half_of_faces(data, 2)
    assert second.labels.tolist() == second.majority.tolist() == [1, 3]
    assert second.images[:, 0, 0].tolist() == [1, 3]
    assert len(second.votes) == 2
    assert second.agreed.tolist() == [False, True]
