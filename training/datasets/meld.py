"""MELD: utterances of Friends with seven emotions (Poria et al., 2019, arXiv 1810.02508)."""

from __future__ import annotations

from pathlib import Path

from training.datasets.dialogues import Dialogue, DialogueUtterance, read_dialogues, repair_text
from training.datasets.labels import MELD_LABELS
from training.datasets.meld_prosody import prosody_beside, read_meld_prosody, with_prosody
from training.datasets.tables import Row

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


def read_meld(path: Path | str, prosody: Path | None = None) -> list[Dialogue]:
    """Read the dialogues of one MELD csv.

    Args:
        path: `train_sent_emo.csv`, `dev_sent_emo.csv` or `test_sent_emo.csv` as published.
        prosody: Published prosody of its utterances; None for the file of its usual name
            beside `path`, if there is one (`training.datasets.meld_prosody`).

    Raises:
        UserError: If a file is not in its layout, naming the line.
    """
    hint = "; give one split at a time, ids repeat between them"
    dialogues = read_dialogues(Path(path), COLUMNS, LAYOUT, _utterance, hint=hint)
    measured = prosody or prosody_beside(Path(path))
    return with_prosody(dialogues, read_meld_prosody(measured)) if measured else dialogues


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
