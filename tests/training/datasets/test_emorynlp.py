"""EmoryNLP's csv."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from stream.errors import UserError
from training.datasets.emorynlp import read_emorynlp

HEADER = "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,Start_Time,End_Time\n"
ROWS = (
    "Coffee.,['Rachel Green'],Neutral,1,1,1,15,00:00:03.795,00:00:05.004\n"
    "\"Oh, yeah!\",\"['Monica Geller', 'Ross Geller']\",Peaceful,1,2,1,15,,00:00:07.000\n"
    'Hi.,"[""Phoebe\'s Assistant""]",Mad,1,1,1,16,,\n'
)


def write(folder: Path, rows: str) -> Path:
    """An EmoryNLP csv with these rows."""
    path = folder / "emorynlp_dev_final.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    return path


def test_scenes(tmp_path: Path) -> None:
    """Scenes of different episodes are different dialogues though their numbers are equal."""
    first, second = read_emorynlp(write(tmp_path, ROWS))
    assert (first.id, second.id) == ("s01e15c01", "s01e16c01")
    assert [utterance.emotion for utterance in first.utterances] == ["neutral", "peaceful"]
    assert first.utterances[0].start == pytest.approx(3.795)


def test_speakers(tmp_path: Path) -> None:
    """A line in chorus names all who say it; an apostrophe in a name is kept."""
    dialogues = read_emorynlp(write(tmp_path, ROWS))
    speakers = [utterance.speaker for dialogue in dialogues for utterance in dialogue.utterances]
    assert speakers == ["Rachel Green", "Monica Geller and Ross Geller", "Phoebe's Assistant"]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("", "no utterances; expected an EmoryNLP csv"),
        ("Hi,Rachel,Neutral,1,1,1,15,,\n", "line 2: Speaker is 'Rachel', expected a list"),
        ("Hi,[1],Neutral,1,1,1,15,,\n", r"line 2: Speaker is '\[1\]', expected a list"),
        ("Hi,['Rachel'],joy,1,1,1,15,,\n", "line 2: Emotion is 'joy', expected one of neutral"),
        (ROWS + ROWS, "line 5: scene s01e15c01 utterance 1 is already on line 2"),
    ],
)
def test_malformed(tmp_path: Path, rows: str, problem: str) -> None:
    """The message names the file, the line and what was expected."""
    with pytest.raises(UserError, match=rf"emorynlp_dev_final\.csv.*{problem}"):
        read_emorynlp(write(tmp_path, rows))


@pytest.mark.parametrize(
    ("split", "scenes", "utterances", "without_counterpart"),
    [("train", 659, 7551, 638 + 551), ("dev", 89, 954, 82 + 70)],
)
def test_published_counts(
    corpora: Path, split: str, scenes: int, utterances: int, without_counterpart: int
) -> None:
    """The numbers of scenes, of utterances and of peaceful and powerful ones come out."""
    dialogues = read_emorynlp(corpora / "emorynlp" / f"emorynlp_{split}_final.csv")
    found = Counter(
        utterance.emotion for dialogue in dialogues for utterance in dialogue.utterances
    )
    assert (len(dialogues), found.total()) == (scenes, utterances)
    assert found["peaceful"] + found["powerful"] == without_counterpart
