"""Dialogues and the repair of their text."""

from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.datasets.dialogues import (
    Dialogue,
    DialogueUtterance,
    cut,
    group_dialogues,
    repair_text,
)

UTTERANCE = DialogueUtterance("0", 0, "Ross", "Hi.", "neutral", None, None, 1, 1)


@pytest.mark.parametrize(
    ("broken", "repaired"),
    [
        ("you\x92re", "you\u2019re"),
        ("wait\x85", "wait\u2026"),
        ("you\u00e2\u20ac\u2122re", "you\u2019re"),
        ("caf\u00c3\u00a9", "caf\u00e9"),
        ("a\x81b", "ab"),
    ],
)
def test_broken_punctuation(broken: str, repaired: str) -> None:
    """C1 controls and doubly encoded characters become what was meant."""
    assert repair_text(broken) == repaired


@pytest.mark.parametrize(
    "text", ["caf\u00e9", "you\u2019re", "\u00c3 la carte \u2019", "100 \u20ac"]
)
def test_sound_text_stays(text: str) -> None:
    """Text that is not broken is not touched."""
    assert repair_text(text) == text


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=0x7E)))
def test_ascii_is_never_touched(text: str) -> None:
    """Plain text comes back unchanged."""
    assert repair_text(text) == text


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 99)), unique=True))
def test_grouping_keeps_every_utterance(ids: list[tuple[str, int]]) -> None:
    """Every utterance is in the dialogue of its id, in the order of the utterance ids."""
    utterances = [
        dataclasses.replace(UTTERANCE, dialogue_id=dialogue, utterance_id=number)
        for dialogue, number in ids
    ]
    dialogues = group_dialogues(utterances)
    assert [dialogue.id for dialogue in dialogues] == list(dict.fromkeys(key for key, _ in ids))
    for dialogue in dialogues:
        numbers = [utterance.utterance_id for utterance in dialogue.utterances]
        assert numbers == sorted(number for key, number in ids if key == dialogue.id)


@settings(deadline=None)
@given(st.integers(1, 9), st.randoms(use_true_random=False))
def test_a_cut_dialogue_has_all_its_turns(count: int, rng: random.Random) -> None:
    """Two parts of at least two turns, in order; one that is too short stays whole."""
    whole = Dialogue(
        "7", tuple(dataclasses.replace(UTTERANCE, utterance_id=number) for number in range(count))
    )
    parts = cut(whole, 1.0, rng)
    assert len(parts) == (2 if count >= 4 else 1)
    assert tuple(turn for part in parts for turn in part.utterances) == whole.utterances
    assert count < 4 or min(len(part.utterances) for part in parts) >= 2
    before = rng.getstate()
    assert cut(whole, 0.0, rng) == [whole]
    assert rng.getstate() == before
