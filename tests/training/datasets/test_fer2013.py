"""FER2013 with FERPlus votes, in its public layout and as a parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.errors import UserError
from training.datasets.fer2013 import Fer2013, ferplus_agreed, ferplus_majority, read_fer2013
from training.datasets.labels import FER2013_NAMES, FERPLUS_COLUMNS, MELD_INDEX, MELD_LABELS

NEUTRAL, JOY, ANGER = (MELD_INDEX[label] for label in ("neutral", "joy", "anger"))

USAGES = ("Training", "Training", "PublicTest")
LABELS = (0, 3, 6)
VOTES = (
    (1, 0, 0, 0, 3, 0, 0, 4, 2, 0),  # contempt has most: no majority
    (2, 8, 0, 0, 0, 0, 0, 0, 0, 0),
    (5, 5, 0, 0, 0, 0, 0, 0, 0, 0),  # a tie: neutral comes first
)


def faces(count: int) -> np.ndarray:
    """Smooth pictures, so that JPEG keeps them nearly as they are."""
    ramp = np.linspace(40, 200, 48)
    return np.stack([np.add.outer(ramp, ramp[::-1]) / 2 + i for i in range(count)]).astype(np.uint8)


def write_csv(
    folder: Path,
    votes: Sequence[Sequence[int]] = VOTES,
    usages: Sequence[str] = USAGES,
    header: str = "emotion,pixels,Usage",
) -> Path:
    """The public layout: fer2013.csv and fer2013new.csv in one folder."""
    rows = [
        f"{label},{' '.join(map(str, image.ravel()))},{usage}"
        for label, image, usage in zip(LABELS, faces(3), USAGES, strict=True)
    ]
    (folder / "fer2013.csv").write_text("\n".join([header, *rows]) + "\n")
    plus = [
        f"{usage},fer{i:07}.png,{','.join(map(str, row))}"
        for i, (usage, row) in enumerate(zip(usages, votes, strict=True))
    ]
    names = f"Usage,Image name,{','.join(FERPLUS_COLUMNS)}"
    (folder / "fer2013new.csv").write_text("\n".join([names, *plus]) + "\n")
    return folder / "fer2013.csv"


def write_parquet(path: Path, **replaced: Sequence[object]) -> Path:
    """One split as a parquet; a keyword replaces a column."""
    images = [cv2.imencode(".jpg", face)[1].tobytes() for face in faces(3)]
    columns: dict[str, Sequence[object]] = {
        "row": [0, 1, 2],
        "label": [FER2013_NAMES[label] for label in LABELS],
        "image": images,
    }
    for i, name in enumerate(FERPLUS_COLUMNS):
        columns[f"votes_{name}"] = [row[i] for row in VOTES]
    pq.write_table(pa.table({**columns, **replaced}), path)
    return path


def check_labels(data: Fer2013) -> None:
    """What both layouts of the three faces must give."""
    assert [MELD_LABELS[label] for label in data.labels] == ["anger", "joy", "neutral"]
    assert data.majority.tolist() == [-1, JOY, NEUTRAL]
    assert data.usable.tolist() == [False, True, True]
    assert data.agreed.tolist() == [False, True, False]
    assert data.votes[0, [NEUTRAL, ANGER]].tolist() == [0.25, 0.75]
    assert data.votes[1, [NEUTRAL, JOY]] == pytest.approx([0.2, 0.8])
    assert data.votes.sum(axis=1) == pytest.approx([1, 1, 1])


def test_public_layout(tmp_path: Path) -> None:
    """The pixels come out exactly, with FER2013's and FERPlus's labels in MELD's order."""
    data = read_fer2013(write_csv(tmp_path))
    np.testing.assert_array_equal(data.images, faces(3))
    check_labels(data)


def test_public_layout_with_blanks_in_the_header(tmp_path: Path) -> None:
    """Kaggle's later copy of the csv has blanks in its header."""
    assert len(read_fer2013(write_csv(tmp_path, header="emotion, pixels, Usage"))) == 3


def test_one_usage_of_a_folder(tmp_path: Path) -> None:
    """A folder stands for the csv in it, and a usage picks its rows."""
    write_csv(tmp_path)
    data = read_fer2013(tmp_path, usage="PublicTest")
    np.testing.assert_array_equal(data.images, faces(3)[2:])
    assert data.majority.tolist() == [NEUTRAL]


def test_parquet(tmp_path: Path) -> None:
    """A parquet gives the same labels, and the pictures up to JPEG's loss."""
    data = read_fer2013(write_parquet(tmp_path / "PublicTest.parquet"))
    check_labels(data)
    assert np.abs(data.images.astype(int) - faces(3)).max() <= 4


def test_folder_of_parquets(tmp_path: Path) -> None:
    """In a folder of parquets the usage names the file."""
    write_parquet(tmp_path / "Training.parquet")
    assert len(read_fer2013(tmp_path, usage="Training")) == 3
    with pytest.raises(UserError, match=r"has no fer2013.csv or PrivateTest.parquet"):
        read_fer2013(tmp_path, usage="PrivateTest")


def test_hugging_face_columns(tmp_path: Path) -> None:
    """Labels as numbers and images as `{bytes, path}` are read too."""
    images = [{"bytes": cv2.imencode(".png", face)[1].tobytes(), "path": None} for face in faces(3)]
    data = read_fer2013(write_parquet(tmp_path / "x.parquet", image=images, label=LABELS))
    check_labels(data)
    np.testing.assert_array_equal(data.images, faces(3))


def test_no_votes_for_the_seven() -> None:
    """An image without votes, or seen as no face by most, has no majority."""
    counts = np.array([[0] * 10, [0] * 9 + [10], [4] + [0] * 8 + [6], [5] + [0] * 8 + [5]])
    assert ferplus_majority(counts).tolist() == [-1, -1, -1, NEUTRAL]


@settings(deadline=None)
@given(st.lists(st.integers(0, 10), min_size=10, max_size=10))
def test_majority_is_a_maximum(counts: list[int]) -> None:
    """A majority has as many votes as any of the ten columns; without one, another column wins."""
    (winner,) = ferplus_majority(np.array([counts]))
    by_label = dict(zip(FERPLUS_COLUMNS, counts, strict=True))
    by_label["joy"], by_label["fear"] = by_label["happiness"], by_label["fear"]
    if winner >= 0:
        assert by_label[MELD_LABELS[winner]] == max(counts) > 0
    else:
        assert max(counts[:7]) < max(counts[7:]) or sum(counts[:7]) == 0


@pytest.mark.parametrize(
    ("counts", "agreed"),
    [
        ((6, 4, 0, 0, 0, 0, 0, 0, 0, 0), True),
        ((5, 4, 1, 0, 0, 0, 0, 0, 0, 0), True),  # the single vote is not counted
        ((5, 5, 0, 0, 0, 0, 0, 0, 0, 0), False),
        ((5, 3, 2, 0, 0, 0, 0, 0, 0, 0), False),
        ((4, 0, 0, 0, 0, 0, 0, 4, 0, 2), False),  # contempt and no face count, too
        ((0, 0, 0, 0, 0, 0, 0, 9, 1, 0), False),  # most agree, but on none of the seven
        ((1, 1, 1, 1, 1, 1, 1, 1, 1, 1), False),
    ],
)
def test_more_than_half_agree(counts: tuple[int, ...], agreed: bool) -> None:
    """As in FERPlus's majority mode."""
    assert ferplus_agreed(np.array([counts])).tolist() == [agreed]


def test_ferplus_beside_the_csv_is_needed(tmp_path: Path) -> None:
    """Without the votes the message says where to get them."""
    path = write_csv(tmp_path)
    (tmp_path / "fer2013new.csv").unlink()
    with pytest.raises(UserError, match=r"fer2013new\.csv: No such file.*microsoft/FERPlus"):
        read_fer2013(path)


def test_rows_must_correspond(tmp_path: Path) -> None:
    """Votes of other rows are refused: by their usage, or by their number."""
    path = write_csv(tmp_path, usages=("Training", "PublicTest", "PublicTest"))
    with pytest.raises(UserError, match=r"fer2013new\.csv, line 3: Usage is 'PublicTest' but"):
        read_fer2013(path)
    path = write_csv(tmp_path, votes=VOTES[:2], usages=USAGES[:2])
    with pytest.raises(UserError, match=r"fer2013\.csv: fer2013new\.csv has fewer rows"):
        read_fer2013(path)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("\n3,", "\n7,", r"fer2013\.csv, line 3: the label is '7', expected 0 to 6"),
        ("\n3,", "\n3,1 ", r"fer2013\.csv, line 3: pixels has 2305 values, expected 2304"),
        ("\n3,", "\n3,256 ", r"fer2013\.csv, line 3: pixels: .*from 0 to 255"),
        ("\n3,", "\n3,x ", r"fer2013\.csv, line 3: pixels: .*from 0 to 255"),
    ],
)
def test_malformed_csv(tmp_path: Path, before: str, after: str, problem: str) -> None:
    """The message names the file, the line and what was expected."""
    path = write_csv(tmp_path)
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(UserError, match=problem):
        read_fer2013(path)


@pytest.mark.parametrize(
    ("column", "cells", "problem"),
    [
        (
            "label",
            ["happy", "smug", "sad"],
            "row 1: the label is 'smug', expected 0 to 6 or one of",
        ),
        ("image", [b"", b"", b""], "row 0: not a 48x48 image; expected a parquet"),
        ("image", [b"JFIF", b"", b""], "row 0: not a 48x48 image; expected a parquet"),
        ("votes_fear", [1, None, 0], "votes_fear is not whole numbers"),
        ("votes_fear", [1, -1, 0], "votes_fear has a negative number"),
    ],
)
def test_malformed_parquet(
    tmp_path: Path, column: str, cells: Sequence[object], problem: str
) -> None:
    """The message names the file, the row or column and what was expected."""
    path = write_parquet(tmp_path / "x.parquet", **{column: cells})
    with pytest.raises(UserError, match=rf"x\.parquet.*{problem}"):
        read_fer2013(path)


def test_other_files(tmp_path: Path) -> None:
    """No parquet, a parquet of something else and an unknown usage are told apart."""
    path = tmp_path / "x.parquet"
    with pytest.raises(UserError, match=r"x\.parquet: no such file; expected a parquet"):
        read_fer2013(path)
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(UserError, match=r"x\.parquet: not readable; expected a parquet"):
        read_fer2013(path)
    pq.write_table(pa.table({"image": [b""]}), path)
    with pytest.raises(UserError, match=r"x\.parquet: no column label, votes_neutral"):
        read_fer2013(path)
    with pytest.raises(UserError, match="unknown usage 'test', expected one of Training"):
        read_fer2013(path, usage="test")


@pytest.mark.slow
def test_published_counts(corpora: Path) -> None:
    """PublicTest has 3,589 faces, 3,529 of them with a FERPlus majority of the seven."""
    data = read_fer2013(corpora / "fer2013", usage="PublicTest")
    assert (len(data), data.usable.sum()) == (3589, 3529)
    assert np.bincount(data.labels).tolist() == [607, 895, 415, 467, 653, 56, 496]
    assert np.bincount(data.majority[data.usable]).tolist() == [1335, 899, 456, 319, 412, 34, 74]
    assert data.agreed.sum() == 3186
