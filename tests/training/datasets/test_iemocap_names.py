"""What IEMOCAP's names say."""

from __future__ import annotations

import pytest

from training.datasets.iemocap_names import parse_utterance, session_of


@pytest.mark.parametrize(
    ("name", "dialogue", "speaker", "side"),
    [
        ("Ses01F_impro01_F000", "Ses01F_impro01", "Ses01_F", "left"),
        ("Ses01F_impro01_M003", "Ses01F_impro01", "Ses01_M", "right"),
        ("Ses04M_script01_2_M012", "Ses04M_script01_2", "Ses04_M", "left"),
        ("Ses04M_script01_2_F012", "Ses04M_script01_2", "Ses04_F", "right"),
        ("Ses05M_script01_1b_F001", "Ses05M_script01_1b", "Ses05_F", "right"),
    ],
)
def test_speaker_and_side(name: str, dialogue: str, speaker: str, side: str) -> None:
    """Who wears the markers is on the left of the picture."""
    parts = parse_utterance(name)
    assert parts is not None
    assert (parts.dialogue, parts.speaker, parts.side) == (dialogue, speaker, side)


@pytest.mark.parametrize(
    "name", ["", "Ses06F_impro01_F000", "Ses01F_impro01_FXX0", "Ses01F_impro01_F0", "._Ses01F"]
)
def test_other_names(name: str) -> None:
    """What is not an utterance of IEMOCAP has no parts."""
    assert parse_utterance(name) is None


@pytest.mark.parametrize(
    ("dialogue", "session"),
    [("Ses03M_impro05a", 3), ("Ses05F_script03_2", 5), ("Ses01F", None), ("notes", None)],
)
def test_session(dialogue: str, session: int | None) -> None:
    """The session stands in the name of a recording."""
    assert session_of(dialogue) == session
