"""IEMOCAP's two text files per recording: the evaluation with times and labels, and the words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from stream.errors import UserError
from training.datasets.dialogues import repair_text
from training.datasets.iemocap_names import UtteranceName, parse_utterance
from training.datasets.tables import read_lines

EVALUATION_LAYOUT = "IEMOCAP's evaluation, lines like `[start - end]<TAB>name<TAB>neu<TAB>[...]`"
TRANSCRIPT_LAYOUT = "IEMOCAP's transcription, lines like `Ses01F_impro01_F000 [start-end]: words`"

CODES: Mapping[str, str] = MappingProxyType(
    {
        "hap": "happy",
        "sad": "sad",
        "neu": "neutral",
        "ang": "angry",
        "exc": "excited",
        "fru": "frustrated",
        "xxx": "",  # the annotators did not agree
        "oth": "",
        "fea": "",
        "sur": "",
        "dis": "",
    }
)
"""The codes of the release as the six classes; "" for what is context only."""

_LINE = re.compile(r"\[(\d+\.\d+) - (\d+\.\d+)\]\t(\S+)\t(\S+)\t\[.*\]\s*")
# Turns that were not segmented are called `..._FXX0` or only `F:`; they have no sound and no label.
_WORDS = re.compile(r"(\w+_[FM]\d{3})\s*\[[\d.]+-[\d.]+\]:\s*(.*)")


@dataclass(frozen=True)
class Evaluation:
    """One utterance of an evaluation file."""

    name: str
    """`Ses01F_impro01_F000`."""
    parts: UtteranceName
    """What the name says."""
    start: float
    """Seconds from the start of the recording."""
    end: float
    """Seconds from the start of the recording."""
    emotion: str
    """One of `IEMOCAP_LABELS`, or "" for an utterance that is context only."""


def read_evaluation(path: Path) -> list[Evaluation]:
    """Read the utterances of one recording, in the order of the file.

    Raises:
        UserError: If the file is not in that layout, naming the line.
    """
    lines: dict[str, int] = {}
    evaluations = []
    for number, line in read_lines(path, EVALUATION_LAYOUT):
        if not line.startswith("["):
            continue  # the heading, and the votes of single annotators
        evaluation = _evaluation(path, number, line)
        if evaluation.name in lines:
            raise UserError(
                f"{path}, line {number}: {evaluation.name} is already on line "
                f"{lines[evaluation.name]}; take the file from the release again"
            )
        lines[evaluation.name] = number
        evaluations.append(evaluation)
    if not evaluations:
        raise UserError(f"{path}: no utterances; expected {EVALUATION_LAYOUT}")
    return evaluations


def _evaluation(path: Path, number: int, line: str) -> Evaluation:
    match = _LINE.fullmatch(line)
    if match is None:
        raise UserError(f"{path}, line {number}: {line[:60]!r}; expected {EVALUATION_LAYOUT}")
    start, end, name, code = float(match[1]), float(match[2]), match[3], match[4].lower()
    parts = parse_utterance(name)
    if parts is None or parts.dialogue != path.stem:
        raise UserError(f"{path}, line {number}: {name!r} is no utterance of {path.stem}")
    if code not in CODES:
        codes = ", ".join(CODES)
        raise UserError(f"{path}, line {number}: the emotion is {code!r}, expected one of {codes}")
    if end <= start:
        raise UserError(f"{path}, line {number}: {name} ends at {end} s, before it starts")
    return Evaluation(name, parts, start, end, CODES[code])


def read_transcript(path: Path) -> dict[str, str]:
    """Read the words of one recording by the name of the utterance.

    Raises:
        UserError: If the file cannot be read, or has two versions of an utterance.
    """
    words: dict[str, str] = {}
    for number, line in read_lines(path, TRANSCRIPT_LAYOUT):
        match = _WORDS.match(line)
        if match is None:
            continue
        name, text = match[1], repair_text(match[2].strip())
        if words.setdefault(name, text) != text:
            raise UserError(f"{path}, line {number}: {name} is there twice with different words")
    return words
