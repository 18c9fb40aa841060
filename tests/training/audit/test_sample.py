"""Which descriptions are judged."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from tests.training.audit.make_items import MakeItem
from training.audit.items import Item
from training.audit.sample import allocate, sample


@pytest.fixture
def items(make_item: MakeItem) -> list[Item]:
    """300 neutral utterances of a lead, 40 of 40 walk-ons, 30 of anger and 3 of fear."""
    return [
        *(make_item(label="neutral", speaker="lead") for _ in range(300)),
        *(make_item(label="neutral", speaker=f"walk-on {i}") for i in range(40)),
        *(make_item(label="anger", speaker="lead") for _ in range(30)),
        *(make_item(label="fear", speaker="lead") for _ in range(3)),
    ]


def test_same_seed_same_sample(items: list[Item]) -> None:
    """A sample is the same in the same order, and another with another seed."""
    first = [item.key for item in sample(items, 30, 1)]

    assert first == [item.key for item in sample(items, 30, 1)]
    assert first != [item.key for item in sample(items, 30, 2)]


def test_labels_share_places_equally(items: list[Item]) -> None:
    """What the rare label cannot fill goes to the others."""
    counts = Counter(item.label for item in sample(items, 31, 1))

    assert counts == {"neutral": 14, "anger": 14, "fear": 3}


def test_rare_speakers_appear_beside_the_lead(items: list[Item]) -> None:
    """Chances go with the root: 0.3 for the lead, who says nine tenths of the neutral lines."""
    drawn = [item for seed in range(20) for item in sample(items, 31, seed)]
    neutral = [item.speaker == "lead" for item in drawn if item.label == "neutral"]

    assert 0.2 < sum(neutral) / len(neutral) < 0.4


def test_position_says_nothing_about_the_label(items: list[Item]) -> None:
    """Labels are mixed, not in blocks."""
    labels = [item.label for item in sample(items, 31, 1)]

    changes = sum(one != other for one, other in pairwise(labels))
    assert changes > 8


def test_no_item_twice_and_no_more_than_there_are(items: list[Item]) -> None:
    """A sample larger than the corpus is the corpus."""
    drawn = sample(items, 1000, 1)

    assert len(drawn) == len({item.key for item in drawn}) == len(items)


@pytest.mark.parametrize(
    ("available", "size", "expected"),
    [
        ({"a": 10, "b": 10, "c": 10}, 9, {"a": 3, "b": 3, "c": 3}),
        ({"a": 100, "b": 1, "c": 4}, 12, {"a": 7, "b": 1, "c": 4}),
        ({"a": 5, "b": 9}, 3, {"a": 2, "b": 1}),
        ({"a": 1, "b": 2}, 9, {"a": 1, "b": 2}),
    ],
)
def test_allocate(available: dict[str, int], size: int, expected: dict[str, int]) -> None:
    """Equal places, none beyond what is there, the odd one to the rarest."""
    assert allocate(available, size) == expected
