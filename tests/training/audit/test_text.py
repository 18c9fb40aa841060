"""Words and sentences."""

from __future__ import annotations

from training.audit.text import ngrams, sentences, words


def test_words_are_lower_case_without_punctuation() -> None:
    """An apostrophe of either kind belongs to its word; a hyphen and a dash part two."""
    text = "He doesn't \u2013 can\u2019t \u2013 LOOK angry-eyed, 2 times."

    expected = ["he", "doesn't", "can\u2019t", "look", "angry", "eyed", "2", "times"]
    assert words(text) == expected


def test_sentences_end_at_marks_and_line_ends() -> None:
    """A part without a word is no sentence; a point within a number ends none."""
    text = "Leans 1.5 times. Why?! - \nno full stop\n..."

    assert sentences(text) == ["Leans 1.5 times.", "Why?!", "no full stop"]


def test_ngrams_of_a_short_text() -> None:
    """A text shorter than the order has none."""
    assert ngrams(["a", "b", "a"], 2) == [("a", "b"), ("b", "a")]
    assert ngrams(["a"], 2) == []
