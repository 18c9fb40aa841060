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
from training.datasets.dialogues import DialogueUtterance

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
    described: Proportion
    """Utterances with a description, of all of theirs in the splits that were described."""
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


def _gender(speaker: str) -> str | None:
    """Female or male, as the id of a speaker of IEMOCAP has it."""
    found = _IEMOCAP_SPEAKER.fullmatch(speaker)
    return {"F": "female", "M": "male"}[found[1]] if found else None


GroupOf = Callable[[str], str | None]
"""The group of a speaker; None where the name does not tell."""

COLUMNS: Mapping[str, Mapping[str, GroupOf]] = MappingProxyType(
    {"iemocap": MappingProxyType({"gender": _gender})}
)
"""By corpus: what else than the speaker its people can be grouped by."""


def group_tables(
    corpus: str, items: Sequence[Item], undescribed: Sequence[DialogueUtterance], seed: int = 1
) -> dict[str, tuple[Group, ...]]:
    """Figures by speaker, and by what else is known of the speakers of a corpus.

    Args:
        corpus: Its name.
        items: Descriptions of all splits.
        undescribed: Utterances of the same splits without one.
        seed: Of the choice of descriptions for distinct-2.

    Returns:
        By grouping; in a table the largest groups first, each of at least `MINIMUM` descriptions.
    """
    by: dict[str, GroupOf] = {"speaker": str, **COLUMNS.get(corpus, {})}
    return {name: _table(items, undescribed, group_of, seed) for name, group_of in by.items()}


def shows_no_face(item: Item) -> bool:
    """Whether the description has nothing on the face or says that it cannot be seen."""
    said = item.description.facial_expression
    return not words(said) or bool(_UNSEEN.search(said))


def _table(
    items: Sequence[Item],
    undescribed: Sequence[DialogueUtterance],
    group_of: GroupOf,
    seed: int,
) -> tuple[Group, ...]:
    groups: dict[str, list[Item]] = {}
    for item in items:
        if (name := group_of(item.speaker)) is not None:
            groups.setdefault(name, []).append(item)
    lacking = Counter(group_of(utterance.speaker) for utterance in undescribed)
    large = [name for name in groups if len(groups[name]) >= MINIMUM]
    shown = sorted(large, key=lambda name: -len(groups[name]))[:MAXIMUM]
    bigrams = min((_bigrams(groups[name]) for name in shown), default=0)
    return tuple(_group(name, groups[name], lacking[name], bigrams, seed) for name in shown)


def _group(name: str, items: Sequence[Item], lacking: int, bigrams: int, seed: int) -> Group:
    texts = [item.text for item in items]
    lengths = [len(words(text)) for text in texts]
    # Neighbours in a dialogue are alike: take the bigrams from all over the corpus.
    shuffled = random.Random(seed).sample(texts, len(texts))
    return Group(
        name=name,
        described=Proportion(len(items), len(items) + lacking),
        mean_words=sum(lengths) / len(items),
        distinct_2=distinct(shuffled, 2, bigrams),
        emotion_words=Proportion.of(bool(emotion_words(item)) for item in items),
        gold_label=Proportion.of(names_label(item) for item in items if item.label),
        no_face=Proportion.of(shows_no_face(item) for item in items),
    )


def _bigrams(items: Sequence[Item]) -> int:
    return sum(len(ngrams(words(item.text), 2)) for item in items)
