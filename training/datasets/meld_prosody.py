"""Measured prosody of MELD's clips, as published with SpeechCueLLM (arXiv 2407.21315).

`meld_train_audio_features.csv` and `meld_dev_audio_features.csv` have a row for each clip,
`dia0_utt3.wav`. What the columns are was found from the script that wrote them:

    duration             seconds of the clip
    avg_intensity        dB, mean power; Praat's intensity for voices above 100 Hz
    intensity_variation  dB, standard deviation over frames of 8 ms
    avg_pitch            Hz, mean of the voiced frames, 75 to 600 Hz; empty without any
    pitch_std            Hz; 0 without a voiced frame
    pitch_range          Hz, highest less lowest; 0 without a voiced frame
    articulation_rate    syllables per second of speaking; empty without a syllable
    mean_hnr             dB, mean harmonics-to-noise ratio
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from engine.prosody import MEASURES
from training.datasets.dialogues import Dialogue
from training.datasets.tables import Row, read_table

Measured = tuple[float, ...]
"""(P,) in the order of `engine.prosody.MEASURES`; NaN where a cell is empty."""

LAYOUT = "the prosody of MELD such as meld_train_audio_features.csv"
FILES: Mapping[str, str] = MappingProxyType(
    {
        "train_sent_emo.csv": "meld_train_audio_features.csv",
        "dev_sent_emo.csv": "meld_dev_audio_features.csv",
        "test_sent_emo.csv": "meld_test_audio_features.csv",
    }
)
"""Name of the prosody beside each csv of MELD."""
_MAY_BE_EMPTY = ("avg_pitch", "articulation_rate")
_CLIP = re.compile(r"dia(\d+)_utt(\d+)\.wav")


def read_meld_prosody(path: Path) -> dict[tuple[str, int], Measured]:
    """The measures of every clip, by (Dialogue_ID, Utterance_ID).

    Raises:
        UserError: The file is not in that layout, naming the line.
    """
    found: dict[tuple[str, int], Measured] = {}
    for row in read_table(path, ("filename", *MEASURES), LAYOUT):
        name = row.cells["filename"]
        match = _CLIP.fullmatch(name)
        if match is None:
            raise row.error(f"filename is {name!r}, expected one like dia0_utt3.wav")
        key = str(int(match[1])), int(match[2])
        if key in found:
            raise row.error(f"{name} is there twice; take one of the lines out")
        found[key] = tuple(_number(row, column) for column in MEASURES)
    return found


def with_prosody(
    dialogues: list[Dialogue], measured: Mapping[tuple[str, int], Measured]
) -> list[Dialogue]:
    """The dialogues with the measures of their utterances; None where there is no row."""
    return [
        replace(
            dialogue,
            utterances=tuple(
                replace(one, prosody=measured.get((one.dialogue_id, one.utterance_id)))
                for one in dialogue.utterances
            ),
        )
        for dialogue in dialogues
    ]


def prosody_beside(table: Path) -> Path | None:
    """The prosody in the folder of one of MELD's csv files; None where there is none."""
    name = FILES.get(table.name)
    path = table.with_name(name) if name else None
    return path if path and path.is_file() else None


def _number(row: Row, column: str) -> float:
    text = row.cells[column]
    if not text and column in _MAY_BE_EMPTY:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise row.error(f"{column} is {text!r}, expected a number")
    return number
