"""RECCON's copy of DailyDialog."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stream.errors import UserError
from training.datasets.dailydialog import open_dailydialog

TURN = {"turn": 1, "speaker": "A", "utterance": "It ' s late , is it ?", "emotion": "happiness"}


def write(folder: Path, document: Any) -> Path:
    """A copy with this dev split."""
    text = document if isinstance(document, str) else json.dumps(document)
    (folder / "dailydialog_valid.json").write_text(text, encoding="utf-8")
    return folder


def test_dialogue(tmp_path: Path) -> None:
    """Emotions are MELD's, and the punctuation is as people write it."""
    (dialogue,) = open_dailydialog(write(tmp_path, {"va_1": [[TURN]]})).splits["dev"]
    (turn,) = dialogue.utterances
    assert (dialogue.id, turn.speaker, turn.emotion) == ("va_1", "A", "joy")
    assert turn.text == "It's late, is it?"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("{", "is not JSON"),
        ([], "expected dialogues by id"),
        ({"va_1": []}, "dialogue va_1: not in RECCON's layout"),
        ({"va_1": [[{**TURN, "emotion": "bored"}]]}, "dialogue va_1: .*bored"),
        ({"va_1": [["Hi"]]}, "dialogue va_1"),
    ],
)
def test_malformed(tmp_path: Path, document: Any, problem: str) -> None:
    """The message names the file, the dialogue and what was expected."""
    with pytest.raises(UserError, match=rf"dailydialog_valid\.json.*{problem}"):
        open_dailydialog(write(tmp_path, document))


def test_not_there(tmp_path: Path) -> None:
    """An empty folder is told what belongs there."""
    with pytest.raises(UserError, match=r"no json of RECCON's DailyDialog"):
        open_dailydialog(tmp_path)


def test_published_counts(corpora: Path) -> None:
    """The numbers of turns come out."""
    corpus = open_dailydialog(corpora / "dailydialog")
    counts = {split: len(list(corpus.utterances(split))) for split in corpus.splits}
    assert counts == {"train": 8206, "dev": 493}
    assert Counter(one.emotion for one in corpus.utterances("dev"))["neutral"] == 293
