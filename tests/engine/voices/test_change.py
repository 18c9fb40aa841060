"""Tests of finding a change of speaker inside one stretch of speech."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from voice_double import another_voice

from engine.voices import HOP_SECONDS, WINDOW_SECONDS, VoiceChange, VoiceEmbedding
from engine.voices.change import WINDOWS_BEFORE
from stream.media import SAMPLE_RATE, Samples

Floats = NDArray[np.float32]


def windows(spoken: Sequence[tuple[float, int]]) -> list[Floats]:
    """Vectors of the windows of a stretch: each has of every voice what it holds of it.

    Args:
        spoken: Seconds, and who speaks for so long.
    """
    voices = np.eye(4, dtype=np.float32)
    fine = np.concatenate([np.tile(voices[who], (round(s * 100), 1)) for s, who in spoken])
    starts = np.arange(0, len(fine) - 160 + 1, 40)
    sums = [fine[start : start + 160].sum(0) for start in starts]
    return [np.asarray(total / np.linalg.norm(total), np.float32) for total in sums]


def found(change: VoiceChange, vectors: Sequence[Floats], first: float = 0.0) -> list[float]:
    """The changes in a stretch."""
    times = [change.heard(first + HOP_SECONDS * i, vector) for i, vector in enumerate(vectors)]
    return [time for time in (*times, change.flush()) if time is not None]


def test_one_voice_has_no_change() -> None:
    """However long it speaks."""
    assert found(VoiceChange(), windows([(20, 0)])) == []


@pytest.mark.parametrize("first", [0.0, 1234.5])
def test_a_change_is_where_the_other_voice_begins(first: float) -> None:
    """To within a hop, on the clock of the media."""
    (at,) = found(VoiceChange(), windows([(3.1, 0), (4, 1)]), first)
    assert abs(at - first - 3.1) <= HOP_SECONDS


def test_a_change_is_told_as_soon_as_it_is_known() -> None:
    """A window and a hop after it at the latest, rounded up to a whole hop."""
    change = VoiceChange()
    for index, vector in enumerate(windows([(4, 0), (4, 1)])):
        at = change.heard(HOP_SECONDS * index, vector)
        if at is not None:
            break
    heard_until = HOP_SECONDS * index + WINDOW_SECONDS
    assert at == pytest.approx(4)
    assert heard_until - 4 <= WINDOW_SECONDS + HOP_SECONDS + 1e-6


def test_several_changes_are_found_in_order() -> None:
    """Two people who answer each other without a pause."""
    times = found(VoiceChange(), windows([(4, 0), (3.2, 1), (4, 0)]))
    assert times == pytest.approx([4, 7.2])


def test_the_last_words_of_a_stretch_count() -> None:
    """Somebody who begins 1.6 s before the end is found when the stretch is over."""
    change = VoiceChange()
    vectors = windows([(4, 0), (1.6, 1)])
    assert [change.heard(HOP_SECONDS * i, vector) for i, vector in enumerate(vectors)] == (
        [None] * len(vectors)
    )
    assert change.flush() == pytest.approx(4)
    assert change.flush() is None


def test_a_new_stretch_is_not_compared_with_the_last() -> None:
    """After `reset` another voice is no change."""
    change = VoiceChange()
    assert found(change, windows([(4, 0)])) == []
    change.reset()
    assert found(change, windows([(4, 1)])) == []


def test_memory_is_bounded() -> None:
    """Only what can still be compared is kept."""
    change = VoiceChange()
    for index, vector in enumerate(windows([(60, 0)])):
        change.heard(HOP_SECONDS * index, vector)
    assert len(change._windows) == WINDOWS_BEFORE + 4


def test_a_real_voice_and_a_higher_one(embed: VoiceEmbedding, sentences: list[Samples]) -> None:
    """The reader alone has no change; where a higher voice goes on, that is found."""
    alone = np.concatenate(sentences)
    both = np.concatenate([sentences[0], another_voice(sentences[1])])
    lengths = {"alone": alone, "both": both}
    times = {name: found(VoiceChange(), _vectors(sound, embed)) for name, sound in lengths.items()}
    assert times["alone"] == []
    assert times["both"] == [pytest.approx(len(sentences[0]) / SAMPLE_RATE, abs=0.5)]


def _vectors(sound: Samples, embed: VoiceEmbedding) -> list[Floats]:
    length, hop = round(WINDOW_SECONDS * SAMPLE_RATE), round(HOP_SECONDS * SAMPLE_RATE)
    heard = [embed(sound[at : at + length]) for at in range(0, len(sound) - length + 1, hop)]
    return [vector for vector in heard if vector is not None]
