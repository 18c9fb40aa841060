"""FER2013 faces (Goodfellow et al., 2013) with FERPlus votes (Barsoum et al., 2016).

Letters: N images, L = 7 labels in the order of `MELD_LABELS`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow.lib import ArrowException, Table

from stream.errors import UserError
from training.datasets.labels import (
    FER2013_NAMES,
    FER2013_TO_MELD,
    FERPLUS_COLUMNS,
    FERPLUS_TO_MELD,
    MELD_INDEX,
    MELD_LABELS,
)
from training.datasets.tables import Row, read_table

SIDE = 48
"""Pixels of each side of every image."""

USAGES = ("Training", "PublicTest", "PrivateTest")
"""The splits of fer2013.csv."""

LAYOUT = "fer2013.csv (emotion,pixels,Usage) with FERPlus's fer2013new.csv beside it"
PLUS_LAYOUT = "FERPlus's fer2013new.csv beside fer2013.csv, from github.com/microsoft/FERPlus"
PARQUET_LAYOUT = "a parquet with the columns image (48x48 grey JPEG or PNG), label and votes_*"

_FER_INDEX = [MELD_INDEX[FER2013_TO_MELD[name]] for name in FER2013_NAMES]
_VOTE_INDEX = [MELD_INDEX[label] for label in FERPLUS_TO_MELD.values()]


@dataclass(frozen=True, eq=False)
class Fer2013:
    """Faces with one published label and the votes of ten annotators each."""

    images: NDArray[np.uint8]
    """(N, 48, 48) grey."""
    labels: NDArray[np.int64]
    """(N,) FER2013's label as an index into `MELD_LABELS`."""
    votes: NDArray[np.float32]
    """(N, L) shares of the FERPlus votes for the seven emotions; zeros where they got none."""
    majority: NDArray[np.int64]
    """(N,) the FERPlus majority as an index into `MELD_LABELS`, or -1; see `ferplus_majority`."""
    agreed: NDArray[np.bool_]
    """(N,) where more than half agree on it, as FERPlus counts; see `ferplus_agreed`."""

    @property
    def usable(self) -> NDArray[np.bool_]:
        """(N,) where FERPlus has a majority of the seven: what to train and to score FERPlus on."""
        return self.majority >= 0

    @property
    def agreed_majority(self) -> NDArray[np.int64]:
        """(N,) the majority, or -1 where not more than half agree on it."""
        return np.where(self.agreed, self.majority, -1)

    def choose(self, rows: slice) -> Fer2013:
        """Some of the images, with all that is known of them."""
        return Fer2013(
            self.images[rows],
            self.labels[rows],
            self.votes[rows],
            self.majority[rows],
            self.agreed[rows],
        )

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)


def read_fer2013(path: Path | str, usage: str | None = None) -> Fer2013:
    """Read FER2013 with FERPlus.

    Args:
        path: `fer2013.csv` with `fer2013new.csv` in the same folder; a parquet; or a folder that
            has the former, or one parquet per split such as `Training.parquet`.
        usage: The split: `Training`, `PublicTest` or `PrivateTest`; None for all rows of the file.
            A parquet is read whole: it holds one split.

    Raises:
        UserError: If the files are not in that layout, naming the row.
    """
    path = Path(path)
    if usage is not None and usage not in USAGES:
        raise UserError(f"unknown usage {usage!r}, expected one of {', '.join(USAGES)}")
    if path.is_dir():
        path = _file_in(path, usage)
    if path.suffix == ".parquet":
        return _read_parquet(path)
    return _read_csv(path, usage)


def _file_in(folder: Path, usage: str | None) -> Path:
    """The file of a folder that has the split."""
    candidates = [folder / "fer2013.csv"]
    if usage is not None:
        candidates.append(folder / f"{usage}.parquet")
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    names = " or ".join(candidate.name for candidate in candidates)
    raise UserError(f"{folder}: has no {names}; expected {LAYOUT}, or one parquet per split")


def ferplus_majority(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The majority of 7: which of the seven emotions got the most votes.

    Contempt, unknown and NF (not a face) are no emotions of the set: an image where one of them
    has more votes than each of the seven has no majority, nor has one without votes. Equal votes
    go to the emotion that comes first in FERPlus's columns. This is a plurality; for FERPlus's
    own rule see `ferplus_agreed`.

    Args:
        counts: (N, 10) votes in the order of `FERPLUS_COLUMNS`.

    Returns:
        (N,) index into `MELD_LABELS`, -1 without a majority.
    """
    emotions = len(_VOTE_INDEX)
    winner = counts.argmax(axis=1)
    has_majority = (winner < emotions) & (counts[:, :emotions].sum(axis=1) > 0)
    index = np.asarray(_VOTE_INDEX, np.int64)
    return np.where(has_majority, index[np.minimum(winner, emotions - 1)], -1).astype(np.int64)


def ferplus_agreed(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where FERPlus's own majority mode keeps an image: more than half of the votes agree.

    An emotion with a single vote is taken for a slip and not counted (`_process_data` of
    `src/ferplus.py` in github.com/microsoft/FERPlus). The figures of its paper are by that rule.

    Args:
        counts: (N, 10) votes in the order of `FERPLUS_COLUMNS`.

    Returns:
        (N,) where such a majority is one of the seven emotions.
    """
    counted = np.where(counts > 1, counts, 0)
    agreed: NDArray[np.bool_] = 2 * counted.max(axis=1) > counted.sum(axis=1)
    return agreed & (ferplus_majority(counts) >= 0)


def _assemble(
    images: NDArray[np.uint8], labels: NDArray[np.int64], counts: NDArray[np.int64]
) -> Fer2013:
    seven = counts[:, : len(_VOTE_INDEX)].astype(np.float32)
    votes = np.zeros((len(counts), len(MELD_LABELS)), np.float32)
    votes[:, _VOTE_INDEX] = seven / np.maximum(seven.sum(axis=1, keepdims=True), 1)
    return Fer2013(images, labels, votes, ferplus_majority(counts), ferplus_agreed(counts))


def _read_csv(path: Path, usage: str | None) -> Fer2013:
    faces = read_table(path, ("emotion", "pixels", "Usage"), LAYOUT)
    votes = read_table(path.with_name("fer2013new.csv"), ("Usage", *FERPLUS_COLUMNS), PLUS_LAYOUT)
    images, labels, counts = [], [], []
    for face, vote in itertools.zip_longest(faces, votes):
        _check_pair(path, face, vote)
        if usage is None or face.cells["Usage"] == usage:
            images.append(_pixels(face))
            labels.append(_fer_label(face.cells["emotion"], f"{path}, line {face.number}"))
            counts.append(_counts(vote))
    if not images:
        raise UserError(f"{path}: no rows of usage {usage or 'any'}; expected {LAYOUT}")
    return _assemble(np.stack(images), np.array(labels, np.int64), np.array(counts, np.int64))


def _check_pair(path: Path, face: Row | None, vote: Row | None) -> None:
    """Check that a row of fer2013.csv and one of fer2013new.csv can be of the same picture."""
    advice = "the rows correspond in order, take both files unchanged"
    if face is None or vote is None:
        shorter = path.name if face is None else "fer2013new.csv"
        raise UserError(f"{path}: {shorter} has fewer rows than the other; {advice}")
    if face.cells["Usage"] != vote.cells["Usage"]:
        raise vote.error(
            f"Usage is {vote.cells['Usage']!r} but {face.cells['Usage']!r} in {path.name}; {advice}"
        )


def _counts(row: Row) -> list[int]:
    """The ten votes of a row of fer2013new.csv."""
    counts = [row.integer(column) for column in FERPLUS_COLUMNS]
    if min(counts) < 0:
        raise row.error("negative number of votes")
    return counts


def _pixels(row: Row) -> NDArray[np.uint8]:
    """The image of a row of fer2013.csv: 2,304 numbers from 0 to 255."""
    try:
        values = bytes(map(int, row.cells["pixels"].split()))
    except ValueError as error:
        raise row.error(f"pixels: {error}; expected numbers from 0 to 255") from error
    if len(values) != SIDE * SIDE:
        raise row.error(f"pixels has {len(values)} values, expected {SIDE * SIDE}")
    return np.frombuffer(values, np.uint8).reshape(SIDE, SIDE)


def _fer_label(value: object, where: str) -> int:
    """Index into `MELD_LABELS` of a FER2013 class, given as its number or its name."""
    text = str(value).strip().lower()
    if text in FER2013_NAMES:
        return _FER_INDEX[FER2013_NAMES.index(text)]
    if text.isdecimal() and int(text) < len(FER2013_NAMES):
        return _FER_INDEX[int(text)]
    raise UserError(
        f"{where}: the label is {value!r}, expected 0 to 6 or one of {', '.join(FER2013_NAMES)}"
    )


def _read_parquet(path: Path) -> Fer2013:
    vote_columns = [f"votes_{column}" for column in FERPLUS_COLUMNS]
    try:
        table = pq.read_table(path)  # type: ignore[no-untyped-call]
    except (OSError, ArrowException) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else "not readable"
        raise UserError(f"{path}: {reason}; expected {PARQUET_LAYOUT}") from error
    missing = [name for name in ("image", "label", *vote_columns) if name not in table.column_names]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)}; expected {PARQUET_LAYOUT}")
    if table.num_rows == 0:
        raise UserError(f"{path}: no rows; expected {PARQUET_LAYOUT}")
    return _assemble(
        _decode_images(path, table.column("image").to_pylist()),
        np.array(
            [
                _fer_label(value, f"{path}, row {row}")
                for row, value in enumerate(table.column("label").to_pylist())
            ],
            np.int64,
        ),
        np.stack([_vote_column(path, table, name) for name in vote_columns], axis=1),
    )


def _vote_column(path: Path, table: Table, name: str) -> NDArray[np.int64]:
    try:
        counts = np.array(table.column(name).to_pylist()).astype(np.int64)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{path}: {name} is not whole numbers; expected {PARQUET_LAYOUT}"
        ) from error
    if counts.min() < 0:
        raise UserError(f"{path}: {name} has a negative number of votes")
    return counts


def _decode_images(path: Path, cells: Sequence[object]) -> NDArray[np.uint8]:
    """Decode the image column: bytes, or Hugging Face's `{bytes, path}`."""
    images = np.empty((len(cells), SIDE, SIDE), np.uint8)
    for row, cell in enumerate(cells):
        data = cell.get("bytes") if isinstance(cell, dict) else cell
        image = None
        if isinstance(data, bytes) and data:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        if image is None or image.shape != (SIDE, SIDE):
            raise UserError(f"{path}, row {row}: not a 48x48 image; expected {PARQUET_LAYOUT}")
        images[row] = image
    return images
