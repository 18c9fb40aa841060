"""The same figures for different people, side by side: does a teacher treat them alike?"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from training.audit.diversity import distinct
from training.audit.items import Item
from training.audit.leakage import emotion_words, names_label
from training.audit.proportion import Proportion
from training.audit.text import ngrams, words

MINIMUM = 20
"""Descriptions of a person or group below which a share says nothing."""
MAXIMUM = 12
"""Rows of a table; the most frequent ones."""

_UNSEEN = re.compile(
    r"\bno (?:visible )?faces?\b"
    r"|\bfaces? (?:is|are) (?:not|hidden|obscured|covered|turned away|out of)\b"
    r"|\bnot (?:clearly |fully )?visible\b"
    r"|\b(?:cannot|can't|can not) be seen\b"
    r"|\bout of (?:view|frame)\b",
    re.IGNORECASE,
)

_IEMOCAP_SPEAKER = re.compile(r"Ses\d\d_([FM])")


@dataclass(frozen=True)
class Group:
    """Figures over the descriptions of one person or group."""

    name: str
    n: int
    """Descriptions."""
    mean_words: float
    """Length in words."""
    distinct_2: float
    """On as many bigrams for every group of a table, as it falls with their number."""
    emotion_words: Proportion
    """Descriptions with an emotion word."""
    gold_label: Proportion
    """Descriptions with a word for their own label, of those that have one."""
    no_face: Proportion
    """Descriptions whose facial expression is empty or says that no face can be seen."""


def _gender(item: Item) -> str | None:
    """Female or male, as the id of a speaker of IEMOCAP has it."""
    found = _IEMOCAP_SPEAKER.fullmatch(item.speaker)
    return {"F": "female", "M": "male"}[found[1]] if found else None


COLUMNS: Mapping[str, Mapping[str, Callable[[Item], str | None]]] = MappingProxyType(
    {"iemocap": MappingProxyType({"gender": _gender})}
)
"""By corpus: what else than the speaker its people can be grouped by."""


def group_tables(corpus: str, items: Sequence[Item], seed: int = 1) -> dict[str, tuple[Group, ...]]:
    """Figures by speaker, and by what else is known of the speakers of a corpus.

    Args:
        corpus: Its name.
        items: Descriptions of all splits.
        seed: Of the choice of descriptions for distinct-2.

    Returns:
        By grouping; in a table the largest groups first, each of at least `MINIMUM`.
    """
    by: dict[str, Callable[[Item], str | None]] = {"speaker": lambda item: item.speaker}
    by |= COLUMNS.get(corpus, {})
    return {name: _table(items, key, seed) for name, key in by.items()}


def shows_no_face(item: Item) -> bool:
    """Whether the description has nothing on the face or says that it cannot be seen."""
    said = item.description.facial_expression
    return not words(said) or bool(_UNSEEN.search(said))


def _table(
    items: Sequence[Item], key: Callable[[Item], str | None], seed: int
) -> tuple[Group, ...]:
    named = [(name, item) for item in items if (name := key(item)) is not None]
    counts = Counter(name for name, _ in named).most_common(MAXIMUM)
    members = {name: [item for n, item in named if n == name] for name, n in counts if n >= MINIMUM}
    bigrams = {name: _bigrams(group) for name, group in members.items()}
    limit = min(bigrams.values(), default=0)
    return tuple(_group(name, group, limit, seed) for name, group in members.items())


def _group(name: str, items: Sequence[Item], bigrams: int, seed: int) -> Group:
    texts = [item.text for item in items]
    lengths = [len(words(text)) for text in texts]
    # Neighbours in a dialogue are alike: take the bigrams from all over the corpus.
    shuffled = random.Random(seed).sample(texts, len(texts))
    return Group(
        name=name,
        n=len(items),
        mean_words=sum(lengths) / len(items),
        distinct_2=distinct(shuffled, 2, bigrams),
        emotion_words=Proportion.of(bool(emotion_words(item)) for item in items),
        gold_label=Proportion.of(names_label(item) for item in items if item.label),
        no_face=Proportion.of(shows_no_face(item) for item in items),
    )


def _bigrams(items: Sequence[Item]) -> int:
    return sum(len(ngrams(words(item.text), 2)) for item in items)
