"""DailyDialog (Li et al., 2017) as RECCON gives it: everyday conversations of two people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stream.errors import UserError
from training.datasets.corpus import Corpus, find_tables, require_folder, wrong_layout
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.datasets.labels import DAILYDIALOG_TO_MELD, MELD_LABELS

TABLES = {
    "train": "dailydialog_train.json",
    "dev": "dailydialog_valid.json",
    "test": "dailydialog_test.json",
}
TREE = """\
  dailydialog/
    dailydialog_train.json  dailydialog_valid.json  dailydialog_test.json      (of RECCON)"""


def open_dailydialog(folder: Path) -> Corpus:
    """Read the dialogues of RECCON's DailyDialog files.

    Args:
        folder: Holds its json files, at most two folders deep.

    Raises:
        UserError: If the folder has none of them, or one is malformed, naming the dialogue.
    """
    require_folder(folder, TREE)
    tables = find_tables(folder, TABLES)
    if not tables:
        raise wrong_layout(folder, "no json of RECCON's DailyDialog in it", TREE)
    splits = {split: tuple(_read(path)) for split, path in tables.items()}
    return Corpus("dailydialog", MELD_LABELS, splits)


def _read(path: Path) -> list[Dialogue]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{path} is not JSON ({error}); take the file of RECCON unchanged"
        ) from error
    if not isinstance(document, dict) or not document:
        raise UserError(f"{path}: expected dialogues by id; take the file of RECCON unchanged")
    return [_dialogue(path, key, turns) for key, turns in document.items()]


def _dialogue(path: Path, key: str, turns: Any) -> Dialogue:
    try:
        utterances = tuple(
            DialogueUtterance(
                dialogue_id=key,
                utterance_id=int(turn["turn"]),
                speaker=str(turn["speaker"]),
                text=_joined(str(turn["utterance"])),
                emotion=DAILYDIALOG_TO_MELD[turn["emotion"]],
                start=None,
                end=None,
            )
            for turn in turns[0]
        )
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}, dialogue {key}: not in RECCON's layout ({error!r}); take the file unchanged"
        ) from error
    return Dialogue(key, utterances)


def _joined(text: str) -> str:
    """Words and marks as people write them: DailyDialog has spaces before its punctuation."""
    for mark in (".", ",", "?", "!", ";", ":"):
        text = text.replace(f" {mark}", mark)
    return text.replace(" \u2019 ", "\u2019").replace(" ' ", "'")
