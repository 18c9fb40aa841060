"""All figures together, and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.training.audit.make_items import MakeItem
from training.audit.items import Item
from training.audit.proportion import Proportion
from training.audit.statistics import lengths, statistics, to_json
from training.datasets.corpus import Corpus
from training.datasets.dialogues import Dialogue


@pytest.fixture
def items(make_item: MakeItem) -> list[Item]:
    """Two descriptions."""
    return [
        make_item("Brows up", body="Hands rest.", label="joy"),
        make_item("Brows up", posture="Leans far back.", label="anger"),
    ]


def _corpus(items: list[Item], more: int) -> Corpus:
    """The utterances of the items and some that nobody described, and an untouched split."""
    extra = [replace(items[0].utterance, utterance_id=100 + i) for i in range(more)]
    dialogue = Dialogue("d0", (*(item.utterance for item in items), *extra))
    return Corpus("meld", ("joy", "anger"), {"dev": (dialogue,), "test": (dialogue,)})


def test_lengths_by_hand() -> None:
    """Mean, quantiles and empty ones; a dash is no word."""
    result = lengths(["one two three", "", "one", "-"])

    assert result.mean == 1.0
    assert result.quantiles == pytest.approx((0, 0, 0.5, 2.7, 3))
    assert result.empty == Proportion(2, 4)


def test_counts_of_the_described_splits(items: list[Item]) -> None:
    """A split without any description was not asked for and does not count."""
    result = statistics(_corpus(items, 3), items)

    assert (result.described, result.undescribed) == (2, 3)


def test_parts_are_measured_apart_and_together(items: list[Item]) -> None:
    """A part without a full stop does not merge with the next."""
    result = statistics(_corpus(items, 0), items)

    assert {name: one.mean for name, one in result.lengths.items()} == {
        "facial_expression": 2,
        "body_language": 1,
        "posture": 1.5,
        "all": 4.5,
    }
    assert result.diversity["facial_expression"].identical_descriptions == Proportion(2, 2)
    assert result.diversity["all"].frequent == (("Brows up", 2),)


def test_json_has_every_figure(items: list[Item]) -> None:
    """Nothing but JSON types, read back equal; shares come with their interval."""
    document = to_json(statistics(_corpus(items, 0), items))

    assert json.loads(json.dumps(document)) == document
    empty = document["lengths"]["posture"]["empty"]
    assert (empty["count"], empty["n"], empty["share"]) == (1, 2, 0.5)
    assert 0 < empty["low"] < 0.5 < empty["high"] < 1
    assert document["leakage"]["majority"] == {"accuracy": 0.5, "unweighted_accuracy": 0.5}
