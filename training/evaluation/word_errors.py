"""The word error rate of transcripts.

Letters: R words of the reference, H words heard.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True)
class WordErrors:
    """Errors of some transcripts, added up: one long utterance counts as many short ones."""

    errors: int
    """Words substituted, left out or put in, in the alignment with the fewest."""
    words: int
    """Of the references."""

    @property
    def rate(self) -> float | None:
        """Errors per word of the references, which may exceed 1; None without any word."""
        return self.errors / self.words if self.words else None


def word_errors(references: Iterable[str], heard: Iterable[str]) -> WordErrors:
    """Compare transcripts with their references, pair by pair.

    Case, punctuation and typographic variants do not count; an apostrophe within a word does.
    """
    errors = words = 0
    for reference, transcript in zip(references, heard, strict=True):
        expected = split_words(reference)
        errors += edit_distance(expected, split_words(transcript))
        words += len(expected)
    return WordErrors(errors, words)


def split_words(text: str) -> list[str]:
    """Words in lower case without punctuation."""
    plain = unicodedata.normalize("NFKC", text).replace("\u2019", "'").casefold()
    return _WORD.findall(plain)


def edit_distance(reference: Sequence[str], heard: Sequence[str]) -> int:
    """Fewest substitutions, deletions and insertions that make one of the other (Levenshtein).

    Row by row of the usual table of (R + 1) x (H + 1). Within a row an insertion depends on
    the cell to its left, cost[j] = min(cost[j], cost[j - 1] + 1), which is a running minimum
    of cost[j] - j.
    """
    numbers: dict[str, int] = {}
    columns = np.array([numbers.setdefault(word, len(numbers)) for word in heard], np.int64)
    steps = np.arange(len(heard) + 1)
    row = steps
    for word in reference:
        differs = columns != numbers.get(word, -1)
        cost = row + 1
        cost[1:] = np.minimum(cost[1:], row[:-1] + differs)
        row = np.minimum.accumulate(cost - steps) + steps
    return int(row[-1])
