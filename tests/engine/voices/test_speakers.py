"""Tests of grouping utterances by voice, with vectors of known similarity."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.voices import Speakers

Floats = NDArray[np.float32]


def voice(degrees: float) -> Floats:
    """A vector in the plane; two are as similar as the cosine of what is between them."""
    angle = math.radians(degrees)
    return np.array([math.cos(angle), math.sin(angle), 0], np.float32)


def hear(speakers: Speakers, degrees: float, seconds: float = 2.0) -> tuple[int, bool]:
    """Person and certainty of an utterance."""
    guess = speakers.heard(10.0, 10.0 + seconds, voice(degrees))
    return guess.person, guess.sure


def test_the_first_voice_is_person_one() -> None:
    """There is nobody else it could be."""
    guess = Speakers().heard(0.0, 2.0, voice(0))
    assert (guess.person, guess.sure, guess.similarity) == (1, True, 0.0)


def test_voices_are_told_apart_and_found_again() -> None:
    """Two voices in turn keep their numbers."""
    speakers = Speakers()
    heard = [hear(speakers, degrees) for degrees in (0, 90, 10, 85, -5)]
    assert heard == [(1, True), (2, True), (1, True), (2, True), (1, True)]
    assert len(speakers) == 2


def test_the_similarity_is_the_mean_over_utterances() -> None:
    """Of one and the same voice heard in two ways, the mean of both cosines."""
    speakers = Speakers()
    hear(speakers, 0)
    hear(speakers, 40)
    guess = speakers.heard(5.0, 7.0, voice(20))
    assert guess.similarity == pytest.approx(math.cos(math.radians(20)), abs=1e-6)


def test_a_voice_between_two_people_is_not_sure() -> None:
    """It is given to the nearer one, and said to be unsure."""
    speakers = Speakers()
    hear(speakers, 0)
    hear(speakers, 60)
    assert hear(speakers, 28) == (1, False)


def test_a_voice_hardly_like_anybody_is_not_sure() -> None:
    """Neither a known person at 50 degrees nor somebody new at 56 degrees is sure."""
    speakers = Speakers()
    hear(speakers, 0)
    assert hear(speakers, 56) == (2, False)
    assert hear(speakers, -50) == (1, False)


def test_short_sound_makes_nobody_new_and_is_not_learned() -> None:
    """A short yes in a strange tone belongs to the most similar person, for the moment."""
    speakers = Speakers()
    hear(speakers, 0)
    assert hear(speakers, 90, seconds=0.6) == (1, False)
    assert speakers.heard(3.0, 5.0, voice(0)).similarity == pytest.approx(1)
    assert hear(Speakers(), 0, seconds=0.6) == (1, False)


def test_a_short_first_sound_is_not_learned() -> None:
    """Who says "hm" in a strange tone and then a sentence is one person, and next comes another."""
    speakers = Speakers()
    assert hear(speakers, 120, seconds=0.5) == (1, False)
    assert len(speakers) == 0
    assert [hear(speakers, degrees) for degrees in (0, 90, 5)] == [(1, True), (2, True), (1, True)]


def test_people_are_bounded() -> None:
    """One more than the limit is taken for the most similar one, and not surely."""
    speakers = Speakers(max_people=2)
    hear(speakers, 0)
    hear(speakers, 90)
    assert hear(speakers, 170) == (2, False)
    assert len(speakers) == 2


def test_nobody_cannot_be_told_apart() -> None:
    """A limit of nobody is refused."""
    with pytest.raises(ValueError, match="max_people"):
        Speakers(max_people=0)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 360), st.floats(0.2, 5)), max_size=30))
def test_numbers_come_in_order_and_stay(turns: list[tuple[float, float]]) -> None:
    """People are numbered as they are first heard, at most eight; the same twice is the same."""
    first, second = Speakers(), Speakers()
    known = 0
    for degrees, seconds in turns:
        guess = first.heard(0.0, seconds, voice(degrees))
        assert guess == second.heard(0.0, seconds, voice(degrees))
        assert 1 <= guess.person <= min(known + 1, 8)
        known = max(known, guess.person) if len(first) else 0
        assert -1.001 <= guess.similarity <= 1.001
    assert known == len(first)
