"""The report for a person."""

from __future__ import annotations

from pathlib import Path

from training.checks.counts import SplitCounts
from training.checks.faults import ClipFault
from training.checks.result import Finding, Result
from training.checks.table import MAX_LISTED, text
from training.describe.description import UtteranceKey

COUNTS = {
    "train": SplitCounts(12, 9_000, {"calm": 8_000, "tense": 900}),
    "dev": SplitCounts(1, 5, {"calm": 5, "tense": 0}),
}
CLIPS = {"train": {"audio": 9_000, "video": 8_999}, "dev": {"audio": 0, "video": 0}}


def result(*findings: Finding, differences: tuple[str, ...] = (), corpus: str = "meld") -> Result:
    """A result with these faults."""
    return Result(corpus, Path("data"), COUNTS, differences, CLIPS, findings, {})


def fault(number: int, kind: str = "silent", detail: str = "a.wav is silent") -> Finding:
    """A fault of one utterance of train."""
    return Finding(
        UtteranceKey("manifest", "train", "d", number), ClipFault(kind, ("audio",), detail)
    )


def test_columns() -> None:
    """Counts stand below each other, a column a split; context only has a row of its own."""
    lines = text(result()).splitlines()
    assert lines[2:9] == [
        "             train  dev",
        "dialogues       12    1",
        "utterances   9,000    5",
        "  calm       8,000    5",
        "  tense        900    0",
        "  no target    100    0",
        "with audio   9,000    0",
    ]
    assert lines[-1] == "Usable: no faults."


def test_long_lists_are_cut() -> None:
    """Of many faults of one kind the first are listed, and the rest counted."""
    report = text(result(*(fault(number) for number in range(MAX_LISTED + 3))))
    assert report.count("is silent; without audio") == MAX_LISTED
    assert "  and 3 more; --json lists all" in report
    assert "Not as published: 23 unknown faults." in report


def test_own_data_is_not_downloaded_again() -> None:
    """Of a manifest nothing was published."""
    verdict = text(result(fault(1), corpus="manifest")).splitlines()[-1]
    assert verdict.startswith("1 fault: put the files or the manifest right;")
    assert text(result(fault(1))).splitlines()[-1].startswith("Not as published: 1 unknown fault.")


def test_a_split_that_is_not_there_is_named() -> None:
    """A copy without test is usable, and should not be taken for a whole one."""
    assert "\n\nNot in this copy: test.\n\n" in text(result())


def test_an_utterance_with_two_faults_is_left_out_once() -> None:
    """What is left out counts utterances, not faults."""
    found = result(fault(1), fault(1, "mis-cut"), fault(2))
    assert found.left_out() == {
        "train": {"audio": 2, "video": 0},
        "dev": {"audio": 0, "video": 0},
    }
    assert not found.usable


def test_other_numbers() -> None:
    """Differing counts make a copy unusable as the published one without any fault."""
    report = text(result(differences=("train: 1 joy, published 2",)))
    assert "Not the published numbers:\n  train: 1 joy, published 2" in report
    assert "Not as published: other numbers than published." in report


def test_names_cannot_move_the_cursor() -> None:
    """A file name with control characters does not reach the terminal as such."""
    report = text(result(fault(1, detail="a\x1b[2J.wav is silent")))
    assert "\x1b" not in report
