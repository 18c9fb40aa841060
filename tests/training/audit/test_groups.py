"""People side by side."""

from __future__ import annotations

import random

import pytest

from tests.training.audit.make_items import MakeItem
from training.audit.groups import MAXIMUM, MINIMUM, group_tables, shows_no_face
from training.audit.items import Item
from training.audit.proportion import Proportion


def test_figures_of_a_speaker_by_hand(make_item: MakeItem) -> None:
    """Length, emotion words, own label and missing faces of each, the largest group first."""
    items = [
        *(make_item("Happy eyes.", speaker="Ann", label="joy") for _ in range(MINIMUM)),
        *(make_item("No face is visible.", speaker="Ann", label="") for _ in range(MINIMUM)),
        *(make_item("", body="Hands rest now.", speaker="Ben") for _ in range(MINIMUM)),
        *(make_item(speaker="Cy") for _ in range(MINIMUM - 1)),
    ]

    lacking = [items[0].utterance] * 10

    ann, ben = group_tables("meld", items, lacking)["speaker"]

    assert (ann.name, ann.mean_words) == ("Ann", 3.0)
    assert ann.described == Proportion(2 * MINIMUM, 2 * MINIMUM + 10)
    assert ann.emotion_words == Proportion(MINIMUM, 2 * MINIMUM)
    assert ann.gold_label == Proportion(MINIMUM, MINIMUM)
    assert ann.no_face == Proportion(MINIMUM, 2 * MINIMUM)
    assert (ben.name, ben.no_face) == ("Ben", Proportion(MINIMUM, MINIMUM))


def test_distinct_2_does_not_depend_on_how_much_somebody_says(make_item: MakeItem) -> None:
    """The same variety of words gives about the same figure for ten times the descriptions."""
    generator = random.Random(1)
    parts = ("brow", "mouth", "jaw", "gaze", "chin", "hand")

    def some(speaker: str, count: int) -> list[Item]:
        texts = (" ".join(generator.choices(parts, k=6)) for _ in range(count))
        return [make_item(text, speaker=speaker) for text in texts]

    items = some("much", 400) + some("little", 40)

    much, little = group_tables("meld", items, [])["speaker"]

    assert much.distinct_2 == pytest.approx(little.distinct_2, rel=0.2)


def test_only_the_largest_groups_are_shown(make_item: MakeItem) -> None:
    """A table stays readable."""
    items = [make_item(speaker=f"s{i}") for i in range(MAXIMUM + 3) for _ in range(MINIMUM + i)]

    rows = group_tables("meld", items, [])["speaker"]

    assert [row.name for row in rows] == [f"s{i}" for i in range(MAXIMUM + 2, 2, -1)]


def test_iemocap_has_gender(make_item: MakeItem) -> None:
    """The id of an actor says it; other corpora have speakers alone."""
    speakers = ("Ses01_F", "Ses05_F", "Ses03_M", "Ses02_M")
    items = [make_item(speaker=speaker) for speaker in speakers for _ in range(MINIMUM)]

    tables = group_tables("iemocap", items, [])

    assert {row.name: row.described.count for row in tables["gender"]} == {
        "female": 2 * MINIMUM,
        "male": 2 * MINIMUM,
    }
    assert list(group_tables("meld", items, [])) == ["speaker"]


@pytest.mark.parametrize(
    ("said", "unseen"),
    [
        ("", True),
        ("- ", True),
        ("No face can be made out.", True),
        ("The face is turned away from the camera.", True),
        ("The speaker is out of frame.", True),
        ("The expression is not clearly visible.", True),
        ("The face is still, the brows level.", False),
        ("The teeth are visible in a broad smile.", False),
    ],
)
def test_shows_no_face(make_item: MakeItem, said: str, unseen: bool) -> None:
    """Empty, or words that say that the face cannot be seen."""
    assert shows_no_face(make_item(said, body="Hands rest.")) is unseen
