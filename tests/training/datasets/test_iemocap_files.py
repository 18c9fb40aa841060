"""IEMOCAP's evaluations and transcriptions, line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import UserError
from training.datasets.iemocap_files import CODES, read_evaluation, read_transcript
from training.datasets.labels import IEMOCAP_LABELS

LINE = "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]\n"
VOTES = "C-E2:\tNeutral;\t()\nA-E4:\tval 3; act 2; dom  2;\t()\n\n"


def write(folder: Path, content: str | bytes, name: str = "Ses01F_impro01.txt") -> Path:
    """A text file of that recording."""
    path = folder / name
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_evaluation(tmp_path: Path, end: str) -> None:
    """Times and label are read, whichever line ends; heading and single votes are passed over."""
    text = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n" + LINE + VOTES
    (one,) = read_evaluation(write(tmp_path, text.replace("\n", end)))
    assert (one.name, one.start, one.end, one.emotion) == (
        "Ses01F_impro01_F000",
        6.2901,
        8.2357,
        "neutral",
    )


def test_codes() -> None:
    """The six classes are all reached; the other five codes are context."""
    assert set(CODES.values()) - {""} == set(IEMOCAP_LABELS)
    assert [code for code, label in CODES.items() if not label] == [
        "xxx",
        "oth",
        "fea",
        "sur",
        "dis",
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "no utterances"),
        (VOTES, "no utterances"),
        (LINE + LINE, "line 2: Ses01F_impro01_F000 is already on line 1"),
        (LINE.replace("neu", "joy"), "line 1: the emotion is 'joy', expected one of hap, sad"),
        (LINE[:30], "line 1: .*; expected"),
        (VOTES + LINE.replace("\t[2.5000", " [2.5000"), "line 4: "),
        (LINE.replace("F_impro01", "F_impro02"), "line 1: .* is no utterance of Ses01F_impro01"),
        (LINE.replace("8.2357", "6.2000"), "ends at 6.2 s, before it starts"),
        (b"[\0\0\0", "not a text file"),
    ],
)
def test_malformed_evaluation(tmp_path: Path, content: str | bytes, problem: str) -> None:
    """The message names file and line."""
    with pytest.raises(UserError, match=rf"Ses01F_impro01\.txt.*{problem}"):
        read_evaluation(write(tmp_path, content))


def test_transcript(tmp_path: Path) -> None:
    """Words are found by name; turns without a number have none."""
    text = (
        "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.\n"
        "Ses01F_impro01_MXX0 [008.0000-008.1000]: Mm.\n"
        "M: Yes.\n"
        "Ses01F_impro01_M000 [007.5712-010.4750]: Wait: what's that?\n"
    )
    assert read_transcript(write(tmp_path, text)) == {
        "Ses01F_impro01_F000": "Excuse me.",
        "Ses01F_impro01_M000": "Wait: what's that?",
    }


def test_windows_encoding(tmp_path: Path) -> None:
    """A transcription in Windows-1252 keeps its punctuation."""
    content = b"Ses01F_impro01_F000 [006.2901-008.2357]: You\x92re late.\r\n"
    assert read_transcript(write(tmp_path, content)) == {"Ses01F_impro01_F000": "You\u2019re late."}


def test_two_versions(tmp_path: Path) -> None:
    """An utterance with two different texts is refused, a repeated line is not."""
    line = "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.\n"
    assert len(read_transcript(write(tmp_path, line * 2))) == 1
    with pytest.raises(UserError, match="line 2: Ses01F_impro01_F000 is there twice"):
        read_transcript(write(tmp_path, line + line.replace("me", "you")))


def test_absent_file(tmp_path: Path) -> None:
    """A missing transcription is a user's mistake that names the file."""
    with pytest.raises(UserError, match=r"Ses01F_impro01\.txt: No such file"):
        read_transcript(tmp_path / "Ses01F_impro01.txt")
