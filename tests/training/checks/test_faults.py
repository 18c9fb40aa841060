"""Kinds of faults, and what is known of the releases."""

from __future__ import annotations

import pytest

from training.checks.faults import KNOWN_FAULTS, ClipFault, merge
from training.describe.description import UtteranceKey


def test_merge_joins_what_is_lost() -> None:
    """Faults of one kind become one, and the worst kind comes first."""
    faults = (
        ClipFault("silent", ("audio",), "a"),
        ClipFault("corrupt", ("video",), "b"),
        ClipFault("corrupt", ("audio",), "c"),
    )
    assert merge(faults) == (
        ClipFault("corrupt", ("audio", "video"), "b"),
        ClipFault("silent", ("audio",), "a"),
    )


@pytest.mark.parametrize(
    ("kind", "modalities"), [("odd", ("audio",)), ("silent", ()), ("silent", ("smell",))]
)
def test_names_are_checked(kind: str, modalities: tuple[str, ...]) -> None:
    """A kind or a modality that does not exist is refused."""
    with pytest.raises(ValueError, match=r"one of|some of"):
        ClipFault(kind, modalities, "")


@pytest.mark.parametrize(
    ("split", "dialogue", "utterance"),
    [
        ("train", "125", 3),
        ("train", "309", 0),
        ("dev", "110", 7),
        ("test", "38", 4),
        ("test", "155", 3),
        ("test", "220", 0),
    ],
)
def test_known_faults(split: str, dialogue: str, utterance: int) -> None:
    """The faults that MELD's users reported are known by name."""
    assert UtteranceKey("meld", split, dialogue, utterance) in KNOWN_FAULTS
