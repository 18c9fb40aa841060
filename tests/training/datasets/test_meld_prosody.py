"""The measured prosody that is published for MELD."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from engine.prosody import MEASURES
from stream.errors import UserError
from training.datasets.meld import read_meld
from training.datasets.meld_prosody import prosody_beside, read_meld_prosody

HEADER = "filename," + ",".join(MEASURES) + "\n"
ROW = "dia0_utt3.wav,3.69,62.31,8.19,274.91,41.44,164.6,3.52,2.29\n"
MELD = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,"
    "StartTime,EndTime\n"
    "1,Oh,Ross,sadness,negative,0,3,8,21,,\n2,Hey!,Joey,joy,positive,0,4,8,21,,\n"
)


def write(folder: Path, rows: str) -> Path:
    """Measured prosody with these rows, under the name of dev."""
    path = folder / "meld_dev_audio_features.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    return path


def test_rows_are_found_by_dialogue_and_utterance(tmp_path: Path) -> None:
    """Pitch and rate may be empty: nothing was voiced."""
    empty = "dia12_utt0.wav,0.08,21.3,0.25,,0.0,0.0,,-4.4\n"
    found = read_meld_prosody(write(tmp_path, ROW + empty))
    assert list(found) == [("0", 3), ("12", 0)]
    assert found["0", 3] == (3.69, 62.31, 8.19, 274.91, 41.44, 164.6, 3.52, 2.29)
    assert [math.isnan(value) for value in found["12", 0]] == [
        name in ("avg_pitch", "articulation_rate") for name in MEASURES
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (ROW.replace("dia0_utt3.wav", "final_dia0_utt3.wav"), "line 3: filename is"),
        (ROW, "line 3: dia0_utt3.wav is there twice"),
        ("dia0_utt4.wav,3,62,8,274,41,164,fast,2\n", "line 3: articulation_rate is 'fast'"),
        ("dia0_utt4.wav,3,,8,274,41,164,3,2\n", "line 3: avg_intensity is ''"),
        ("dia0_utt4.wav,3,inf,8,274,41,164,3,2\n", "line 3: avg_intensity is 'inf'"),
        ("dia0_utt4.wav,3,62\n", "line 3: expected 9 columns"),
    ],
)
def test_malformed_rows_name_their_line(tmp_path: Path, row: str, problem: str) -> None:
    """So that they can be mended."""
    with pytest.raises(UserError, match=problem):
        read_meld_prosody(write(tmp_path, ROW + row))


def test_meld_is_joined_with_what_is_beside_it(tmp_path: Path) -> None:
    """An utterance without a row has None; a copy without the file has none at all."""
    table = tmp_path / "dev_sent_emo.csv"
    table.write_text(MELD, encoding="utf-8")
    assert prosody_beside(table) is None
    (bare,) = read_meld(table)
    assert [one.prosody for one in bare.utterances] == [None, None]
    path = write(tmp_path, ROW)
    (joined,) = read_meld(table)
    assert joined.utterances[0].prosody == pytest.approx(read_meld_prosody(path)["0", 3])
    assert joined.utterances[1].prosody is None
    (other,) = read_meld(table, path.rename(tmp_path / "elsewhere.csv"))
    assert other == joined
