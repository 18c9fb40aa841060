"""All figures of an audit, for the page and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from training.audit.diversity import Diversity, diversity
from training.audit.groups import Group, group_tables
from training.audit.items import Item, undescribed
from training.audit.leakage import Leakage, leakage
from training.audit.proportion import Proportion
from training.audit.text import words
from training.datasets.corpus import Corpus
from training.describe.description import PARTS


@dataclass(frozen=True)
class Lengths:
    """Words of one part over all descriptions."""

    mean: float
    quantiles: tuple[float, float, float, float, float]
    """Least, a twentieth, half, nineteen twentieths, most."""
    empty: Proportion
    """Descriptions in which the part has no word."""


@dataclass(frozen=True)
class Statistics:
    """Figures over all descriptions, not over the sample."""

    corpus: str
    described: int
    """Utterances with a description."""
    undescribed: int
    """Utterances of the same splits without one: failed, without pictures, or not asked for."""
    lengths: dict[str, Lengths]
    """By part, and `all` for the whole description."""
    diversity: dict[str, Diversity]
    """Likewise: a teacher may vary the face and always say the same of posture."""
    leakage: Leakage
    groups: dict[str, tuple[Group, ...]]
    """Tables by what people are grouped by."""


def statistics(corpus: Corpus, items: Sequence[Item], seed: int = 1) -> Statistics:
    """Compute every figure.

    Args:
        corpus: What was described.
        items: All descriptions, at least one.
        seed: Of samples and folds.
    """
    lacking = undescribed(corpus, items)
    texts = {part: [getattr(item.description, part) for item in items] for part in PARTS}
    # Line ends, as a part may lack its full stop.
    texts["all"] = ["\n".join(parts) for parts in zip(*texts.values(), strict=True)]
    return Statistics(
        corpus=corpus.name,
        described=len(items),
        undescribed=len(lacking),
        lengths={name: lengths(column) for name, column in texts.items()},
        diversity={name: diversity(column, seed) for name, column in texts.items()},
        leakage=leakage(items, corpus.labels, seed),
        groups=group_tables(corpus.name, items, lacking, seed),
    )


def lengths(texts: Sequence[str]) -> Lengths:
    """How many words some texts have; at least one text."""
    counts = [len(words(text)) for text in texts]
    low, early, middle, late, high = np.quantile(counts, (0, 0.05, 0.5, 0.95, 1)).tolist()
    return Lengths(
        mean=sum(counts) / len(counts),
        quantiles=(low, early, middle, late, high),
        empty=Proportion.of(count == 0 for count in counts),
    )


def to_json(value: Any) -> Any:
    """Figures as JSON-safe dicts and lists; a proportion gets its share and interval."""
    if isinstance(value, Proportion):
        return value.to_dict()
    if is_dataclass(value):
        return {entry.name: to_json(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, dict):
        return {str(key): to_json(one) for key, one in value.items()}
    return [to_json(one) for one in value] if isinstance(value, tuple) else value
