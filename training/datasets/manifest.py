"""Any own data: a JSON Lines file with one utterance a line, described in docs/data.md.

Every line is an object. The first may be a header instead, with any of the keys of `HEADER_KEYS`:

    {"labels": ["calm", "tense"]}
    {"split": "train", "dialogue": "d1", "utterance": 0, "speaker": "Ann", "text": "Well.",
     "emotion": "calm", "video": "clips/d1.mp4", "audio": "clips/d1.mp4", "start": 0.5, "end": 2}

(an utterance is one line in the file).
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from stream.errors import UserError
from training.datasets.clip import SIDES, Clip, MediaCut
from training.datasets.corpus import SPLITS, Corpus, wrong_layout
from training.datasets.dialogues import DialogueUtterance, group_dialogues

FILE_NAME = "manifest.jsonl"

HEADER_KEYS = ("labels", "absolute_paths")
REQUIRED_KEYS = ("split", "dialogue", "utterance", "speaker", "text")
OPTIONAL_KEYS = ("emotion", "video", "audio", "start", "end", "side")

TREE = """\
  my-data/
    manifest.jsonl            (one utterance a line)
    clips/ ...                (anywhere below, as the manifest names them)"""


@dataclass(frozen=True)
class Header:
    """What the first line may say about all others."""

    labels: tuple[str, ...] | None = None
    """Legal emotions in the order of reports; None: those that occur, sorted."""
    absolute_paths: bool = False
    """Whether media may lie outside the manifest's folder."""


def open_manifest(folder: Path) -> Corpus:
    """Read own data.

    Args:
        folder: Has a `manifest.jsonl`; or any `.jsonl` file itself.

    Raises:
        UserError: If it is not there, or a line is wrong, naming it.
    """
    path = folder / FILE_NAME if folder.is_dir() else folder
    if not path.is_file():
        raise wrong_layout(folder, f"no {FILE_NAME} in it", TREE)
    header, seen = Header(), dict[tuple[str, str, int], int]()
    by_split: dict[str, list[DialogueUtterance]] = {}
    for number, line in enumerate(_objects(path), start=1):
        if number == 1 and "split" not in line.cells and "text" not in line.cells:
            header = line.header()
            continue
        split, utterance = line.utterance(header)
        key = split, utterance.dialogue_id, utterance.utterance_id
        if key in seen:
            raise line.error(f"{split} {key[1]} utterance {key[2]} is already on line {seen[key]}")
        seen[key] = line.number
        by_split.setdefault(split, []).append(utterance)
    if not by_split:
        raise UserError(f"{path}: no utterances; see docs/data.md for the format")
    splits = {
        split: tuple(group_dialogues(by_split[split])) for split in SPLITS if split in by_split
    }
    emotions = {one.emotion for utterances in by_split.values() for one in utterances}
    return Corpus("manifest", header.labels or tuple(sorted(emotions - {""})), splits)


@dataclass(frozen=True)
class Line:
    """One object of the file, which knows where it stands."""

    path: Path
    """The manifest."""
    number: int
    """Line of the file, from 1."""
    cells: dict[str, Any]
    """Its keys."""

    def error(self, problem: str) -> UserError:
        """An error that names this line."""
        return UserError(f"{self.path}, line {self.number}: {problem}")

    def header(self) -> Header:
        """Read it as the header.

        Raises:
            UserError: If it is none.
        """
        self._check_keys(HEADER_KEYS, ())
        labels, absolute = self.cells.get("labels"), self.cells.get("absolute_paths", False)
        if labels is not None:
            words = isinstance(labels, list) and all(isinstance(label, str) for label in labels)
            if not words or len(set(labels)) != len(labels) or not labels or "" in labels:
                raise self.error("labels is no list of different words")
        if not isinstance(absolute, bool):
            raise self.error("absolute_paths is neither true nor false")
        return Header(None if labels is None else tuple(labels), absolute)

    def utterance(self, header: Header) -> tuple[str, DialogueUtterance]:
        """Read it as an utterance and its split.

        Raises:
            UserError: If a value is missing or wrong.
        """
        self._check_keys((*REQUIRED_KEYS, *OPTIONAL_KEYS), REQUIRED_KEYS)
        number = self.cells["utterance"]
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise self.error(f"utterance is {number!r}, expected a whole number from 0")
        split, emotion = self._text("split"), self._text("emotion")
        self._require_one_of("split", split, SPLITS)
        if header.labels is not None:
            self._require_one_of("emotion", emotion, (*header.labels, ""))
        start, end = self._seconds("start"), self._seconds("end")
        if end is not None and end <= (start or 0.0):
            raise self.error(f"end is {end:g}, which is not after start")
        utterance = DialogueUtterance(
            dialogue_id=self._text("dialogue", required=True),
            utterance_id=number,
            speaker=self._text("speaker", required=True),
            text=self._text("text"),
            emotion=emotion,
            start=start,
            end=end,
            clip=self._clip(header, start or 0.0, end),
        )
        return split, utterance

    def _clip(self, header: Header, start: float, end: float | None) -> Clip | None:
        side = self._text("side") or None
        if side is not None:
            self._require_one_of("side", side, SIDES)
        video, audio = (
            MediaCut(path, start, end) if (path := self._path(key, header)) else None
            for key in ("video", "audio")
        )
        return Clip(video, audio, side) if video or audio else None

    def _path(self, key: str, header: Header) -> Path | None:
        """A file, which need not exist: `training.check` says what is missing."""
        text = self._text(key)
        if not text:
            return None
        if "\0" in text:
            raise self.error(f"{key} is {text!r}, which is no path")
        folder = self.path.parent
        path = folder / text
        try:
            _refuse_circle(path)
            legal = header.absolute_paths or path.resolve().is_relative_to(folder.resolve())
        except (OSError, RuntimeError) as error:  # links that go in a circle
            raise self.error(f"{key} is {text!r}, which leads nowhere: {error}") from error
        if not legal:
            raise self.error(
                f"{key} is {text!r}, outside the manifest's folder; move the file there, or begin "
                'the manifest with the line {"absolute_paths": true}'
            )
        return path

    def _text(self, key: str, *, required: bool = False) -> str:
        value = self.cells.get(key)
        if value is None and key in OPTIONAL_KEYS:
            return ""
        if not isinstance(value, str) or (required and not value):
            raise self.error(f"{key} is {value!r}, expected text")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise self.error(f"{key} is {value!r}, which has half a character (a lone surrogate)")
        return value

    def _seconds(self, key: str) -> float | None:
        value = self.cells.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            raise self.error(f"{key} is {value!r}, expected seconds from the start of the file")
        return float(value)

    def _require_one_of(self, key: str, value: str, allowed: tuple[str, ...]) -> None:
        if value not in allowed:
            names = ", ".join(name or '""' for name in allowed)
            raise self.error(f"{key} is {value!r}, expected one of {names}")

    def _check_keys(self, allowed: tuple[str, ...], required: tuple[str, ...]) -> None:
        unknown = [key for key in self.cells if key not in allowed]
        if unknown:
            names = ", ".join(allowed)
            raise self.error(f"unknown key {', '.join(unknown)}; the keys are {names}")
        missing = [key for key in required if key not in self.cells]
        if missing:
            raise self.error(f"no {', '.join(missing)}; required are {', '.join(required)}")


def _objects(path: Path) -> Iterator[Line]:
    """The lines of a JSON Lines file that are not blank."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield Line(path, number, _cells(path, number, line))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; check its permissions") from error


def _cells(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        cells = json.loads(
            line.decode("utf-8-sig" if number == 1 else "utf-8"),
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}, line {number}: no JSON in UTF-8: {error}") from error
    if not isinstance(cells, dict):
        raise UserError(f"{path}, line {number}: expected an object with keys")
    return cells


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    cells = dict(pairs)
    if len(cells) != len(pairs):
        raise ValueError("a key is there twice")
    return cells


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _refuse_circle(path: Path) -> None:
    """Raise an OSError for links that go in a circle; `Path.resolve` does so before Python 3.13."""
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise
