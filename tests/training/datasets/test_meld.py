"""MELD's csv."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from stream.errors import UserError
from training.datasets.dialogues import DialogueUtterance
from training.datasets.labels import MELD_LABELS
from training.datasets.meld import read_meld

HEADER = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,"
    "StartTime,EndTime\n"
)
ROWS = (
    '1,"Oh, no\u2026",Ross,sadness,negative,0,3,8,21,"00:16:16,059","00:16:21,731"\n'
    '2,Hey!,Joey,joy,positive,0,1,8,21,"0:16:01,000","0:16:02,500"\n'
    '3,What?,Phoebe,Surprise,negative,7,0,1,2,"00:00:01,000",\n'
)


def write(folder: Path, rows: str) -> Path:
    """A MELD csv with these rows."""
    path = folder / "dev_sent_emo.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    return path


def test_dialogues(tmp_path: Path) -> None:
    """Utterances are grouped by dialogue and ordered by id; gaps between ids are allowed."""
    first, second = read_meld(write(tmp_path, ROWS))
    assert (first.id, second.id) == ("0", "7")
    assert [utterance.speaker for utterance in first.utterances] == ["Joey", "Ross"]
    assert first.utterances[1] == DialogueUtterance(
        "0", 3, "Ross", "Oh, no\u2026", "sadness", pytest.approx(976.059), 981.731, 8, 21
    )
    assert (second.utterances[0].emotion, second.utterances[0].end) == ("surprise", None)


def test_text_is_repaired(tmp_path: Path) -> None:
    """Broken apostrophes of circulating copies are repaired in text and speaker."""
    row = "1,you\x92re,Ross\x92 mother,joy,positive,0,0,1,1,,\n"
    ((utterance,),) = (dialogue.utterances for dialogue in read_meld(write(tmp_path, row)))
    assert (utterance.text, utterance.speaker) == ("you\u2019re", "Ross\u2019 mother")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("", "no utterances; expected a MELD csv"),
        ("1,Hi,Ross,happy,positive,0,0,1,1,,\n", "line 2: Emotion is 'happy', expected one of"),
        ("1,Hi,Ross,joy,positive,x,0,1,1,,\n", "line 2: Dialogue_ID is 'x'"),
        ("1,Hi,Ross,joy,positive,0,-3,1,1,,\n", "line 2: Utterance_ID is '-3'"),
        ("1,Hi,Ross,joy,positive,0,0,1,1,noon,\n", "line 2: StartTime is 'noon'"),
        ("1,Hi,Ross,joy\n", "line 2: expected 11 columns"),
        (ROWS + ROWS, "line 5: dialogue 0 utterance 3 is already on line 2"),
    ],
)
def test_malformed(tmp_path: Path, rows: str, problem: str) -> None:
    """The message names the file, the line and what was expected."""
    with pytest.raises(UserError, match=rf"dev_sent_emo\.csv.*{problem}"):
        read_meld(write(tmp_path, rows))


@pytest.mark.parametrize(
    ("split", "dialogues", "counts"),
    [
        ("train", 1038, (4710, 1743, 1205, 1109, 683, 271, 268)),
        ("dev", 114, (470, 163, 150, 153, 111, 22, 40)),
    ],
)
def test_published_counts(
    corpora: Path, split: str, dialogues: int, counts: tuple[int, ...]
) -> None:
    """The published numbers of dialogues and of utterances per emotion come out."""
    read = read_meld(corpora / "meld" / f"{split}_sent_emo.csv")
    found = Counter(utterance.emotion for dialogue in read for utterance in dialogue.utterances)
    assert len(read) == dialogues
    assert found == dict(zip(MELD_LABELS, counts, strict=True))
    assert all(
        utterance.start is not None and utterance.end is not None and utterance.text
        for dialogue in read
        for utterance in dialogue.utterances
    )


def test_gaps_between_ids(corpora: Path) -> None:
    """72 training dialogues have ids that do not run from 0 without gaps; id 60 does not exist."""
    dialogues = read_meld(corpora / "meld" / "train_sent_emo.csv")
    gaps = [
        dialogue.id
        for dialogue in dialogues
        if [utterance.utterance_id for utterance in dialogue.utterances]
        != list(range(len(dialogue.utterances)))
    ]
    assert len(gaps) == 72
    assert "60" not in {dialogue.id for dialogue in dialogues}
