"""MELD: utterances of Friends with seven emotions (Poria et al., 2019, arXiv 1810.02508)."""

from __future__ import annotations

from pathlib import Path

from stream.errors import UserError
from training.datasets.dialogues import Dialogue, DialogueUtterance, group_dialogues, repair_text
from training.datasets.labels import MELD_LABELS
from training.datasets.tables import Row, read_table

LAYOUT = "a MELD csv such as train_sent_emo.csv"

COLUMNS = (
    "Utterance",
    "Speaker",
    "Emotion",
    "Dialogue_ID",
    "Utterance_ID",
    "Season",
    "Episode",
    "StartTime",
    "EndTime",
)


def read_meld(path: Path | str) -> list[Dialogue]:
    """Read the dialogues of one MELD csv.

    Args:
        path: `train_sent_emo.csv`, `dev_sent_emo.csv` or `test_sent_emo.csv` as published.

    Raises:
        UserError: If the file is not in MELD's layout, naming the line.
    """
    path = Path(path)
    seen: dict[tuple[str, int], int] = {}
    utterances = []
    for row in read_table(path, COLUMNS, LAYOUT):
        utterance = _utterance(row)
        key = utterance.dialogue_id, utterance.utterance_id
        if key in seen:
            raise row.error(
                f"dialogue {key[0]} utterance {key[1]} is already on line {seen[key]}; "
                "give one split at a time, ids repeat between them"
            )
        seen[key] = row.number
        utterances.append(utterance)
    if not utterances:
        raise UserError(f"{path}: no utterances; expected {LAYOUT}")
    return group_dialogues(utterances)


def _utterance(row: Row) -> DialogueUtterance:
    return DialogueUtterance(
        dialogue_id=str(row.integer("Dialogue_ID")),
        utterance_id=row.integer("Utterance_ID"),
        speaker=repair_text(row.cells["Speaker"]),
        text=repair_text(row.cells["Utterance"]),
        emotion=row.choice("Emotion", MELD_LABELS),
        start=row.seconds("StartTime"),
        end=row.seconds("EndTime"),
        season=row.integer("Season"),
        episode=row.integer("Episode"),
    )
