"""How descriptions are cut into words and sentences: one way for every statistic."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile("[^\\W_]+(?:['\u2019][^\\W_]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")

Ngram = tuple[str, ...]


def words(text: str) -> list[str]:
    """Words in lower case; an apostrophe inside a word belongs to it, a hyphen parts two."""
    return _WORD.findall(text.lower())


def sentences(text: str) -> list[str]:
    """Sentences as they are written, without those that have no word."""
    return [part.strip() for part in _SENTENCE_END.split(text) if _WORD.search(part)]


def ngrams(tokens: Sequence[str], order: int) -> list[Ngram]:
    """Every run of `order` words; none of a text that is shorter."""
    return [tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1)]
