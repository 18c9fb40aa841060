"""MELD's csv files joined with the clips of its raw release."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.errors import UserError
from tests.training.corpora_double import MELD_ROWS, MeldRow, make_meld, write_meld_csv
from training.datasets.clip import Clip, MediaCut
from training.datasets.labels import MELD_LABELS
from training.datasets.meld_clips import CLIP_FOLDERS, find_clips, open_meld


def clip_names(folder: Path) -> dict[str, list[str | None]]:
    """File name of every utterance's pictures, by split; None without a clip."""
    corpus = open_meld(folder)
    return {
        split: [
            None if one.clip is None or one.clip.video is None else one.clip.video.path.name
            for one in corpus.utterances(split)
        ]
        for split in corpus.splits
    }


@pytest.mark.parametrize("deeper", [False, True])
def test_join(tmp_path: Path, deeper: bool) -> None:
    """Each utterance gets the clip with its two ids, however deep the archives were unpacked."""
    folder = make_meld(tmp_path / "meld", deeper=deeper)
    corpus = open_meld(folder)
    assert (corpus.name, corpus.labels, list(corpus.splits)) == (
        "meld",
        MELD_LABELS,
        list(MELD_ROWS),
    )
    assert clip_names(folder) == {
        split: [row.file for row in rows] for split, rows in MELD_ROWS.items()
    }
    clip = next(corpus.utterances("dev")).clip
    assert clip is not None
    assert clip == Clip(clip.video, clip.video)
    assert clip.video is not None
    assert clip.video.path.is_file()


def test_csv_files_two_folders_up(tmp_path: Path) -> None:
    """The csv files may lie in a folder of their own, the clips in another."""
    folder = make_meld(tmp_path / "meld")
    (folder / "data" / "MELD").mkdir(parents=True)
    for path in folder.glob("*.csv"):
        path.rename(folder / "data" / "MELD" / path.name)
    assert clip_names(folder)["test"] == ["dia0_utt0.mp4", "dia0_utt1.mp4"]


def test_text_alone(tmp_path: Path) -> None:
    """A copy without clips is a corpus without clips; a split without csv is not there."""
    folder = make_meld(tmp_path / "meld", clips=False)
    (folder / "test_sent_emo.csv").unlink()
    assert clip_names(folder) == {"train": [None] * 4, "dev": [None] * 3}


def test_missing_clip(tmp_path: Path) -> None:
    """Only the utterance whose file is missing has no clip."""
    folder = make_meld(tmp_path / "meld")
    (folder / "train/train_splits/dia0_utt3.mp4").unlink()
    assert clip_names(folder)["train"] == ["dia0_utt0.mp4", "dia0_utt1.mp4", None, "dia2_utt0.mp4"]


def test_leftovers_are_passed_over(tmp_path: Path) -> None:
    """Neither macOS's files nor the `final_videos_test` variants stand in for a clip."""
    folder = make_meld(tmp_path / "meld")
    clips = folder / "test/output_repeated_splits_test"
    for prefix in ("._", "final_videos_test"):
        shutil.copyfile(clips / "dia0_utt0.mp4", clips / f"{prefix}dia0_utt1.mp4")
    (clips / "dia0_utt1.mp4").unlink()
    (clips / "dia0_utt1.mp4").mkdir()
    assert clip_names(folder)["test"] == ["dia0_utt0.mp4", None]


def test_the_fuller_folder_counts(tmp_path: Path) -> None:
    """Of two folders with one split's name, as after unpacking twice, the fuller one is taken."""
    folder = make_meld(tmp_path / "meld")
    other = folder / "again" / "train_splits"
    other.mkdir(parents=True)
    (other / "dia0_utt0.mp4").write_bytes(b"x")
    found = find_clips(folder)
    assert set(found) == set(CLIP_FOLDERS)
    assert {path.parent for path in found["train"].values()} == {folder / "train/train_splits"}


def test_two_tables_that_differ(tmp_path: Path) -> None:
    """Two csv files of one split at the same depth are refused where they differ."""
    folder = tmp_path / "meld"
    for name, rows in (("a", (MeldRow(0, 0),)), ("b", (MeldRow(0, 1),))):
        (folder / name).mkdir(parents=True)
        write_meld_csv(folder / name / "dev_sent_emo.csv", rows)
    with pytest.raises(UserError, match="which is the dev split"):
        open_meld(folder)
    shutil.copyfile(folder / "a" / "dev_sent_emo.csv", folder / "b" / "dev_sent_emo.csv")
    assert clip_names(folder) == {"dev": [None]}


@pytest.mark.parametrize("name", [".", "train", "train/train_splits"])
def test_a_folder_that_cannot_be_read(
    tmp_path: Path, lock: Callable[[Path], None], name: str
) -> None:
    """It is named, with what to do; clips in it are not silently absent."""
    folder = make_meld(tmp_path / "meld")
    lock(folder / name)
    with pytest.raises(UserError, match="Permission denied; check its permissions") as raised:
        open_meld(folder)
    assert str(folder / name) in str(raised.value)


def test_a_folder_called_like_a_table(tmp_path: Path) -> None:
    """It is not taken for one."""
    (tmp_path / "train_sent_emo.csv").mkdir()
    with pytest.raises(UserError, match="no csv of MELD"):
        open_meld(tmp_path)


def test_impossible_times(tmp_path: Path) -> None:
    """A row whose time runs backwards does not spoil its clip, which is a whole file."""
    folder = make_meld(tmp_path / "meld", {"test": (MeldRow(155, 3, seconds=-0.5),)})
    assert next(open_meld(folder).utterances("test")).clip == Clip(
        *[MediaCut(folder / "test/output_repeated_splits_test/dia155_utt3.mp4")] * 2
    )


@pytest.mark.parametrize("kind", ["empty", "file", "nothing"])
def test_wrong_folder(tmp_path: Path, kind: str) -> None:
    """What is no copy is refused with the layout."""
    folder = tmp_path / kind
    if kind == "empty":
        folder.mkdir()
    elif kind == "file":
        folder.write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match=r"Expected this layout(.|\n)*train/train_splits/dia0"):
        open_meld(folder)


def test_real_copy(corpora: Path) -> None:
    """The text of the real corpus opens through the same door."""
    corpus = open_meld(corpora / "meld")
    numbers = {split: sum(1 for _ in corpus.utterances(split)) for split in corpus.splits}
    assert (numbers["train"], numbers["dev"]) == (9989, 1109)
