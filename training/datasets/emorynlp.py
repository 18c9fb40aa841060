"""EmoryNLP: scenes of Friends with seven other emotions (Zahiri and Choi, 2018)."""

from __future__ import annotations

import ast
from pathlib import Path

from training.datasets.dialogues import Dialogue, DialogueUtterance, read_dialogues, repair_text
from training.datasets.labels import EMORYNLP_LABELS
from training.datasets.tables import Row

LAYOUT = "an EmoryNLP csv such as emorynlp_train_final.csv"

COLUMNS = (
    "Utterance",
    "Speaker",
    "Emotion",
    "Scene_ID",
    "Utterance_ID",
    "Season",
    "Episode",
    "Start_Time",
    "End_Time",
)


def read_emorynlp(path: Path | str) -> list[Dialogue]:
    """Read the scenes of one EmoryNLP csv, each as a dialogue.

    Emotions are EmoryNLP's own (`EMORYNLP_LABELS`); `EMORYNLP_TO_MELD` has their counterparts.

    Args:
        path: `emorynlp_train_final.csv`, `_dev_final.csv` or `_test_final.csv` as published.

    Raises:
        UserError: If the file is not in EmoryNLP's layout, naming the line.
    """
    return read_dialogues(Path(path), COLUMNS, LAYOUT, _utterance, noun="scene")


def _utterance(row: Row) -> DialogueUtterance:
    season, episode = row.integer("Season"), row.integer("Episode")
    return DialogueUtterance(
        # Scenes are numbered within their episode.
        dialogue_id=f"s{season:02}e{episode:02}c{row.integer('Scene_ID'):02}",
        utterance_id=row.integer("Utterance_ID"),
        speaker=_speakers(row),
        text=repair_text(row.cells["Utterance"]),
        emotion=row.choice("Emotion", EMORYNLP_LABELS),
        start=row.seconds("Start_Time"),
        end=row.seconds("End_Time"),
        season=season,
        episode=episode,
    )


def _speakers(row: Row) -> str:
    """The names in a cell like `['Monica Geller', 'Phoebe Buffay']`: some lines are in chorus."""
    cell = row.cells["Speaker"]
    try:
        names = ast.literal_eval(cell)
    except (ValueError, SyntaxError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise row.error(f"Speaker is {cell!r}, expected a list like ['Monica Geller']")
    return repair_text(" and ".join(names))
