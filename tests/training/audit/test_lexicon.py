"""Emotion words."""

from __future__ import annotations

from itertools import combinations

import pytest

from training.audit.lexicon import EMOTION_WORDS, FAMILIES, words_of
from training.audit.text import words
from training.datasets.labels import CORPUS_LABELS

ALL_LABELS = sorted({label for labels in CORPUS_LABELS.values() for label in labels})


@pytest.mark.parametrize("label", ALL_LABELS)
def test_every_label_of_every_corpus_has_words(label: str) -> None:
    """The label itself is among them, and synonyms or inflections."""
    assert label in words_of(label)
    assert len(words_of(label)) > 5


def test_no_word_is_in_two_families() -> None:
    """Otherwise a description would name two labels with one word."""
    for one, other in combinations(FAMILIES.values(), 2):
        assert not one & other


def test_words_are_found_as_texts_are_cut() -> None:
    """Every entry is one word in lower case; another would never match."""
    assert [word for word in EMOTION_WORDS if words(word) != [word]] == []


def test_behaviour_is_no_emotion_word() -> None:
    """What can be seen may be said."""
    seen = "A broad smile, a frown, tears, wide-eyed, clenched fists, relaxed shoulders, a laugh."

    assert EMOTION_WORDS.isdisjoint(words(seen))


def test_an_unknown_label_names_itself() -> None:
    """A corpus of one's own may have any labels."""
    assert words_of("bored") == {"bored"}
