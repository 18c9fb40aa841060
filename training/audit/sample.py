"""Which descriptions a person judges: few, seeded, and with the rare ones among them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from math import sqrt

from training.audit.items import Item


def sample(items: Sequence[Item], size: int, seed: int) -> list[Item]:
    """Draw a sample, stratified over labels and speakers.

    Every label gets the same number of places, as far as it has items; what a rare label
    leaves goes to the others. Utterances without a label count as one label. Within a label,
    items are drawn without replacement with weights (Efraimidis and Spirakis, 2006) such that
    a speaker's chance grows with the square root of the number of their utterances: lead roles
    stay frequent, and walk-ons appear.

    So figures over the sample are not estimates for the corpus, where neutral is frequent.

    Args:
        items: In a fixed order.
        size: At most so many.
        seed: The same one gives the same sample in the same order.

    Returns:
        In random order, so that the position of an item says nothing about its label.
    """
    generator = random.Random(seed)
    utterances = Counter(item.speaker for item in items)
    strata: dict[str, list[tuple[float, int]]] = {}
    for index, item in enumerate(items):
        rank = generator.random() ** sqrt(utterances[item.speaker])
        strata.setdefault(item.label, []).append((rank, index))
    places = allocate({label: len(stratum) for label, stratum in sorted(strata.items())}, size)
    chosen = [
        items[index]
        for label, count in places.items()
        for _, index in sorted(strata[label], reverse=True)[:count]
    ]
    generator.shuffle(chosen)
    return chosen


def allocate(available: dict[str, int], size: int) -> dict[str, int]:
    """Share places equally among strata, none getting more than it has.

    Args:
        available: Items of each stratum; where places cannot be shared evenly, the rarest
            stratum is served first.
        size: Places.
    """
    places = dict.fromkeys(available, 0)
    left = min(size, sum(available.values()))
    by_rarity = sorted(available, key=lambda name: available[name])
    for position, name in enumerate(by_rarity):
        strata_left = len(by_rarity) - position
        places[name] = min(available[name], -(-left // strata_left))
        left -= places[name]
    return places
