"""Transcripts as a recogniser writes them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.evaluation.word_errors import split_words, word_errors
from training.transcription_noise import degrade, degrade_dialogue

SENTENCES = (
    "Oh my God, he's lost it. He's totally lost it!",
    "Why do all your coffee mugs have numbers on the bottom?",
    "I was thinking about the interview that they scheduled for this afternoon.",
)


def test_without_errors() -> None:
    """Only case and punctuation go."""
    text = degrade("Oh my God, he\u2019s LOST it!", 0, random.Random(1))
    assert text == "oh my god he's lost it"


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2])
def test_rate(rate: float) -> None:
    """Over many sentences the word error rate is the one that was asked for."""
    rng = random.Random(1)
    said = SENTENCES * 400
    found = word_errors(said, [degrade(sentence, rate, rng) for sentence in said])
    assert found.rate == pytest.approx(rate, rel=0.25)


@given(st.text(max_size=60), st.floats(0, 1), st.integers(0, 99))
def test_any_text(text: str, rate: float, seed: int) -> None:
    """Words stay words in lower case without punctuation; a text with words keeps some."""
    heard = degrade(text, rate, random.Random(seed))
    assert heard == degrade(text, rate, random.Random(seed))
    assert split_words(heard) == heard.split()
    assert bool(heard) == bool(split_words(text))


@given(st.floats(0, 1), st.integers(0, 99))
def test_punctuated_has_the_same_errors(rate: float, seed: int) -> None:
    """Case and punctuation stay, the words are those that are heard without them."""
    for sentence in SENTENCES:
        plain = degrade(sentence, rate, random.Random(seed))
        punctuated = degrade(sentence, rate, random.Random(seed), punctuated=True)
        assert split_words(punctuated) == plain.split()


def test_punctuated_substitution() -> None:
    """A word that is misheard keeps the capital and the mark of the one that was said."""
    rngs = map(random.Random, range(20))
    heard = {degrade("Their?", 1, rng, punctuated=True) for rng in rngs}
    assert heard & {"There?", "They're?", "The?"}
    assert not heard & {"there?", "There", "the", "the?"}


def test_dialogue_keeps_labels() -> None:
    """Only the words change, and of some dialogues nothing but wrong words would."""
    said = DialogueUtterance("1", 0, "Ann", "What a lovely day!", "joy", 1.0, 2.0)
    texts = set()
    for seed in range(20):
        (heard,) = degrade_dialogue(Dialogue("1", (said,)), 0, random.Random(seed)).utterances
        assert (heard.emotion, heard.start) == ("joy", 1.0)
        texts.add(heard.text)
    assert texts == {"what a lovely day", "What a lovely day!"}
