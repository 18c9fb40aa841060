"""Word errors against examples by hand and a plain table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.word_errors import WordErrors, edit_distance, split_words, word_errors


def slow_distance(reference: list[str], heard: list[str]) -> int:
    """The table of Wagner and Fischer (1974), cell by cell."""
    table = [[i + j for j in range(len(heard) + 1)] for i in range(len(reference) + 1)]
    for i, expected in enumerate(reference, start=1):
        for j, word in enumerate(heard, start=1):
            table[i][j] = min(
                table[i - 1][j] + 1,
                table[i][j - 1] + 1,
                table[i - 1][j - 1] + (expected != word),
            )
    return table[-1][-1]


WORDS = st.lists(st.sampled_from("abcd"), max_size=8)


@given(WORDS, WORDS)
def test_distance_is_that_of_the_table(reference: list[str], heard: list[str]) -> None:
    """Row by row gives what cell by cell gives."""
    assert edit_distance(reference, heard) == slow_distance(reference, heard)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Oh, my God! -- It\u2019s HERE...", ["oh", "my", "god", "it's", "here"]),
        ("'quoted' rock 'n' roll", ["quoted", "rock", "n", "roll"]),
        ("42 stra\u00dfe na\u00efve_x", ["42", "strasse", "na\u00efve", "x"]),
        ("\ufb01ne ?!", ["fine"]),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    """Case, punctuation and typography do not count; an apostrophe in a word does."""
    assert split_words(text) == words


def test_errors_are_added_up() -> None:
    """One substitution, one deletion and two insertions in five words."""
    found = word_errors(["the big world", "go on"], ["the pig", "oh go on then"])
    assert found == WordErrors(errors=4, words=5)
    assert found.rate == pytest.approx(0.8)


def test_no_word_has_no_rate() -> None:
    """Nothing was said: what was heard is counted, but is no share of anything."""
    found = word_errors([""], ["thank you"])
    assert (found.errors, found.words, found.rate) == (2, 0, None)
