"""Descriptions joined with their utterances."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream.errors import UserError
from training.audit.items import join, undescribed
from training.datasets.corpus import Corpus
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.describe.description import Description, UtteranceKey


def _dialogue(name: str, ids: range) -> Dialogue:
    return Dialogue(
        name,
        tuple(DialogueUtterance(name, i, "Ann", f"line {i}", "joy", None, None) for i in ids),
    )


CORPUS = Corpus(
    "meld",
    ("neutral", "joy"),
    {"train": (_dialogue("0", range(3, 9)),), "dev": (_dialogue("0", range(2)),)},
)
BROWS = Description("The brows rise.")


def test_join_in_the_order_of_the_corpus() -> None:
    """Splits with equal dialogue ids are kept apart."""
    keys = [UtteranceKey("meld", "dev", "0", 1), UtteranceKey("meld", "train", "0", 4)]

    items = join(CORPUS, dict.fromkeys(keys, BROWS))

    assert [item.key for item in items] == keys[::-1]
    assert [item.utterance.text for item in items] == ["line 4", "line 1"]
    assert [item.dialogue for item in items] == [("train", "0"), ("dev", "0")]


def test_the_turns_before_and_none_after() -> None:
    """At most so many, oldest first, by position rather than id."""
    key = UtteranceKey("meld", "train", "0", 7)

    (item,) = join(CORPUS, {key: BROWS}, context=2)

    assert [turn.utterance_id for turn in item.context] == [5, 6]


def test_utterances_without_a_description() -> None:
    """Those of the described splits; dev has the same dialogue id and was not asked for."""
    keys = [UtteranceKey("meld", "train", "0", number) for number in (3, 4, 6)]

    lacking = undescribed(CORPUS, join(CORPUS, dict.fromkeys(keys, BROWS)))

    assert [utterance.utterance_id for utterance in lacking] == [5, 7, 8]


def test_descriptions_of_another_corpus_are_refused() -> None:
    """The message names one and says what to do."""
    strangers = {UtteranceKey("meld", "train", "0", 4): BROWS}
    strangers |= {UtteranceKey("iemocap", "train", "Ses01F_impro01", 0): BROWS}

    with pytest.raises(UserError, match=r"1 descriptions .* iemocap train .*_impro01 utterance 0;"):
        join(CORPUS, strangers)


def test_nothing_to_audit() -> None:
    """A file of failures alone has no description."""
    with pytest.raises(UserError, match=r"no description .*training\.describe"):
        join(CORPUS, {})


def test_digest_changes_with_the_wording_of_any_part() -> None:
    """A verdict on one wording is none on another, nor on the same words as another part."""
    key = UtteranceKey("meld", "train", "0", 4)
    (item,) = join(CORPUS, {key: BROWS})

    others = [
        replace(item, description=Description("The brows rise")),
        replace(item, description=Description(posture="The brows rise.")),
    ]
    assert item.digest not in {other.digest for other in others}
    assert item.digest == replace(item, context=()).digest
