"""Saved verdicts and what they come to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stream.errors import UserError
from training.audit.verdicts import FORMAT, cohens_kappa, read_judgement, summarise

PARTS = ("facial_expression", "body_language", "posture")


def _document(judge: str, said: Sequence[str], **changes: Any) -> dict[str, Any]:
    """A file in which every part of utterance i has the verdict i."""
    entries = [
        {
            "key": {"corpus": "meld", "split": "dev", "dialogue": "0", "utterance": i},
            "description_sha256": f"hash {i}",
            "parts": {part: {"verdict": verdict, "note": ""} for part in PARTS},
            "label_shown": i == 0,
            "first": "2026-11-22T10:00:00.000Z",
            "last": "2026-11-22T10:01:00.000Z",
        }
        for i, verdict in enumerate(said)
    ]
    document = {"format": FORMAT, "audit": "id", "judge": judge, "saved": "now"}
    return {**document, "verdicts": entries} | changes


def _write(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_kappa_of_cohens_example() -> None:
    """50 grant proposals, 35 agreed on: observed 0.7, expected 0.5, kappa 0.4."""
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10
    pairs += [("no", "no")] * 15

    assert cohens_kappa(pairs) == pytest.approx(0.4)


@pytest.mark.parametrize("pairs", [[], [("wrong", "wrong")] * 4])
def test_kappa_is_undefined(pairs: list[tuple[str, str]]) -> None:
    """Where chance alone explains all agreement, or there is nothing."""
    assert cohens_kappa(pairs) is None


def test_kappa_below_chance() -> None:
    """Two who always say the opposite have -1."""
    assert cohens_kappa([("yes", "no"), ("no", "yes")]) == pytest.approx(-1)


def test_summary_of_one_judge(tmp_path: Path) -> None:
    """The share is of the decided: "cannot tell" and what was not judged are no verdict on it."""
    said = ["accurate", "accurate", "wrong", "partly", "cannot tell", ""]
    judgement = read_judgement(_write(tmp_path / "a.json", _document("Anna", said)))

    (judged,) = summarise([judgement])["judges"]

    posture = judged["parts"]["posture"]
    assert posture["counts"] == {"accurate": 2, "partly": 1, "wrong": 1, "cannot tell": 1}
    assert (posture["accurate"]["count"], posture["accurate"]["n"]) == (2, 4)
    assert (judged["judge"], judged["label_shown"]) == ("Anna", 1)


def test_agreement_of_two_judges(tmp_path: Path) -> None:
    """Only what both judged, in the same wording, is compared."""
    anna = _document("Anna", ["accurate", "wrong", "accurate", "partly"])
    ben = _document("Ben", ["accurate", "wrong", "wrong", ""])
    ben["verdicts"][1]["description_sha256"] = "another wording"
    files = [_write(tmp_path / "a.json", anna), _write(tmp_path / "b.json", ben)]

    (agreement,) = summarise([read_judgement(path) for path in files])["agreement"]

    # Utterances 0 and 2: one agreement of two; Anna always accurate, Ben half: chance is 1/2.
    assert agreement["judges"] == ["Anna", "Ben"]
    assert agreement["parts"]["posture"] == {"n": 2, "kappa": pytest.approx(0)}
    assert agreement["parts"]["all"]["n"] == 6


def test_three_judges_make_three_pairs(tmp_path: Path) -> None:
    """Every two are compared."""
    paths = [_write(tmp_path / f"{name}.json", _document(name, ["wrong"])) for name in "abc"]

    pairs = summarise([read_judgement(path) for path in paths])["agreement"]

    assert [pair["judges"] for pair in pairs] == [["a", "b"], ["a", "c"], ["b", "c"]]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "must be an object"),
        (_document("Anna", ["good"]), r"verdict 'good': one of accurate, partly"),
        (_document("Anna", ["wrong"], format="other/1"), "format 'other/1'"),
        (_document("Anna", ["wrong"], extra=1), "unknown key extra"),
        ({"format": FORMAT}, "audit, judge, saved, verdicts is missing"),
        (_document("Anna", [], verdicts=_document("", ["wrong"])["verdicts"] * 2), "judged twice"),
        (_document("Anna", [], verdicts=[{"key": None}]), "is missing"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, document: Any, message: str) -> None:
    """The message names the file and what is wrong with it."""
    path = _write(tmp_path / "bad.json", document)

    with pytest.raises(UserError, match=rf"bad\.json .*{message}"):
        read_judgement(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[" * 100_000, b"<html>"])
def test_hostile_files_are_refused(tmp_path: Path, content: bytes) -> None:
    """Not JSON, not text, nested without end."""
    path = tmp_path / "bad.json"
    path.write_bytes(content)

    with pytest.raises(UserError, match="is not a file of verdicts"):
        read_judgement(path)


def test_a_hostile_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """What a message quotes of it is printable."""
    path = _write(tmp_path / "bad.json", _document("Anna", [], **{"\x1b[2J": 1}))

    with pytest.raises(UserError, match=r"unknown key \\x1b\[2J"):
        read_judgement(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With what to give instead."""
    with pytest.raises(UserError, match=r"gone\.json .*files saved by the page"):
        read_judgement(tmp_path / "gone.json")
