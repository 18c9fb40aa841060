"""Whether descriptions give the label away."""

from __future__ import annotations

import random

import pytest

from tests.training.audit.make_items import MakeItem
from training.audit.leakage import Guess, leakage
from training.audit.proportion import Proportion

LABELS = ("neutral", "joy", "anger")


def test_words_by_hand(make_item: MakeItem) -> None:
    """Three have an emotion word, two that of their own label; inflections count."""
    items = [
        make_item("She smiles happily, glad.", label="joy"),
        make_item("He looks HAPPY, angry-eyed.", label="anger"),
        make_item("Cheerful brows.", label="anger"),
        make_item("Brows drawn, teeth clenched.", label="anger"),
    ]

    result = leakage(items, LABELS)

    assert result.any_emotion_word == Proportion(3, 4)
    assert result.gold_label == Proportion(2, 4)
    assert result.by_label == {"joy": Proportion(1, 1), "anger": Proportion(1, 3)}
    assert result.frequent == (
        ("angry", 1),
        ("cheerful", 1),
        ("glad", 1),
        ("happily", 1),
        ("happy", 1),
    )
    assert result.majority == Guess(0.75, 0.5)


def test_too_few_dialogues_to_guess(make_item: MakeItem) -> None:
    """One dialogue cannot be tested on others."""
    result = leakage([make_item(), make_item(label="anger")], LABELS)

    assert result.guess is None
    assert result.guess_without_emotion_words is None


def test_utterances_without_a_label(make_item: MakeItem) -> None:
    """They count for emotion words, and for nothing that needs a label."""
    result = leakage([make_item("Sad eyes.", label=""), make_item("Happy.", label="joy")], LABELS)

    assert result.any_emotion_word == Proportion(2, 2)
    assert result.gold_label == Proportion(1, 1)
    assert leakage([make_item(label="")], LABELS).majority is None


@pytest.mark.parametrize(
    ("joy", "anger", "whole", "without"),
    [
        ("looks happy", "looks angry", 1.0, 0.5),  # named: gone without the words
        ("mouth wide", "brows drawn", 1.0, 1.0),  # shown: behaviour stays
    ],
)
def test_guess_tells_naming_from_showing(
    make_item: MakeItem, joy: str, anger: str, whole: float, without: float
) -> None:
    """The classifier finds both; only the emotion words can be removed."""
    descriptions = {"joy": joy, "anger": anger}
    items = [
        make_item(descriptions[label], label=label, dialogue=f"d{i}")
        for i in range(20)
        for label in descriptions
    ]

    result = leakage(items, LABELS)

    assert result.guess == Guess(whole, whole)
    assert result.guess_without_emotion_words is not None
    assert result.guess_without_emotion_words.unweighted_accuracy == without


def test_words_that_have_nothing_to_do_with_the_label(make_item: MakeItem) -> None:
    """Then the guess is no better than the majority."""
    generator = random.Random(1)
    items = [
        make_item(
            generator.choice(("brows up", "jaw set", "gaze down")),
            label=generator.choice(("joy", "anger", "anger")),
            dialogue=f"d{i % 30}",
        )
        for i in range(300)
    ]

    result = leakage(items, LABELS)

    assert result.guess is not None
    assert result.majority is not None
    assert result.guess.accuracy <= result.majority.accuracy + 0.02
