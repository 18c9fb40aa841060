"""GoEmotions: Reddit comments in Ekman's six emotions and neutral (Demszky et al., 2020)."""

from __future__ import annotations

from pathlib import Path

from stream.errors import UserError
from training.datasets.corpus import Corpus, find_tables, require_folder, wrong_layout
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.datasets.labels import MELD_LABELS

TABLES = {"train": "train.tsv", "dev": "dev.tsv", "test": "test.tsv"}
TREE = """\
  goemotions/
    train.tsv  dev.tsv  test.tsv      (text, tab, label numbers, tab, id)
    labels.txt                        (a label a line: anger, disgust, fear, joy, ...)"""


def open_goemotions(folder: Path) -> Corpus:
    """Read GoEmotions, each comment as a dialogue of one utterance.

    A comment with several labels has no emotion here: its annotators did not agree on one.

    Args:
        folder: Holds its tsv files and `labels.txt`, at most two folders deep.

    Raises:
        UserError: If a file is missing or malformed, naming the line.
    """
    require_folder(folder, TREE)
    tables = find_tables(folder, TABLES)
    names = find_tables(folder, {"labels": "labels.txt"})
    if not tables or not names:
        raise wrong_layout(folder, "no tsv of GoEmotions or no labels.txt in it", TREE)
    labels = names["labels"].read_text(encoding="utf-8").split()
    unknown = [label for label in labels if label not in MELD_LABELS]
    if unknown:
        raise wrong_layout(folder, f"labels.txt has {unknown[0]!r}, no Ekman emotion", TREE)
    splits = {split: tuple(_read(path, labels)) for split, path in tables.items()}
    return Corpus("goemotions", MELD_LABELS, splits)


def _read(path: Path, labels: list[str]) -> list[Dialogue]:
    dialogues = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        cells = line.split("\t")
        if len(cells) != 3:
            raise UserError(f"{path}, line {number}: {len(cells)} cells, expected 3 with tabs")
        text, numbers, comment = cells
        try:
            chosen = [labels[_index(one)] for one in numbers.split(",")]
        except (ValueError, IndexError) as error:
            raise UserError(
                f"{path}, line {number}: the labels are {numbers!r}, expected numbers from 0 to "
                f"{len(labels) - 1} with commas"
            ) from error
        emotion = chosen[0] if len(chosen) == 1 else ""
        utterance = DialogueUtterance(comment, 0, comment, text, emotion, None, None)
        dialogues.append(Dialogue(comment, (utterance,)))
    if not dialogues:
        raise UserError(f"{path}: no comments; expected this layout (docs/data.md):\n{TREE}")
    return dialogues


def _index(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number
