"""MELD as a corpus: its csv files, joined with the clips of the raw release where these are there.

The release is three archives in one, and they unpack into differing depths. So the folders are
found by their names, which nothing else has, and the csv files likewise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from training.datasets.clip import Clip, MediaCut
from training.datasets.corpus import Corpus, find_tables, require_folder, wrong_layout
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.datasets.folders import files_in, folders_below
from training.datasets.labels import MELD_LABELS
from training.datasets.meld import read_meld

TABLES: Mapping[str, str] = MappingProxyType(
    {
        "train": "train_sent_emo.csv",
        "dev": "dev_sent_emo.csv",
        "test": "test_sent_emo.csv",
    }
)
"""File name of each split's csv."""

CLIP_FOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "train": "train_splits",
        "dev": "dev_splits_complete",
        "test": "output_repeated_splits_test",
    }
)
"""Folder of each split's clips."""

TREE = """\
  MELD.Raw/
    train_sent_emo.csv  dev_sent_emo.csv  test_sent_emo.csv
    train/train_splits/dia0_utt0.mp4 ...                 (clips are optional)
    dev/dev_splits_complete/dia0_utt0.mp4 ...
    test/output_repeated_splits_test/dia0_utt0.mp4 ..."""

_DEPTH = 4  # MELD.Raw/train/train_splits/train_splits
# Nothing around it: `._dia0_utt0.mp4` is macOS's, `final_videos_testdia0_utt0.mp4` a leftover.
_CLIP = re.compile(r"dia(\d+)_utt(\d+)\.mp4")


def open_meld(folder: Path) -> Corpus:
    """Read MELD.

    Args:
        folder: Holds the csv files, at most two folders deep, and the raw clips, if any.

    Returns:
        Utterances with their clip; None where the copy has no such file.

    Raises:
        UserError: If the folder has none of the csv files, or one of them is malformed.
    """
    require_folder(folder, TREE)
    tables = find_tables(folder, TABLES)
    if not tables:
        raise wrong_layout(folder, "no csv of MELD in it", TREE)
    clips = find_clips(folder)
    splits = {
        split: tuple(_with_clips(dialogue, clips.get(split, {})) for dialogue in read_meld(path))
        for split, path in tables.items()
    }
    return Corpus("meld", MELD_LABELS, splits)


def find_clips(folder: Path) -> dict[str, dict[tuple[str, int], Path]]:
    """The clips of every split, by (Dialogue_ID, Utterance_ID); of two folders the fuller one."""
    clips: dict[str, dict[tuple[str, int], Path]] = {}
    for path in folders_below(folder, _DEPTH):
        for split, name in CLIP_FOLDERS.items():
            if path.name == name:
                found = _clips_in(path)
                if len(found) > len(clips.get(split, {})):
                    clips[split] = found
    return clips


def _clips_in(folder: Path) -> dict[tuple[str, int], Path]:
    matches = ((path, _CLIP.fullmatch(path.name)) for path in files_in(folder))
    return {(str(int(match[1])), int(match[2])): path for path, match in matches if match}


def _with_clips(dialogue: Dialogue, clips: Mapping[tuple[str, int], Path]) -> Dialogue:
    utterances = (_with_clip(utterance, clips) for utterance in dialogue.utterances)
    return replace(dialogue, utterances=tuple(utterances))


def _with_clip(
    utterance: DialogueUtterance, clips: Mapping[tuple[str, int], Path]
) -> DialogueUtterance:
    path = clips.get((utterance.dialogue_id, utterance.utterance_id))
    if path is None:
        return utterance
    return replace(utterance, clip=Clip(video=MediaCut(path), audio=MediaCut(path)))
