"""What is probed, and processes that crash."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.training.corpora_double import SECONDS, make_iemocap, make_meld, write_media
from training.checks.targets import Target, check_targets, find_targets
from training.datasets.clip import Clip, MediaCut
from training.datasets.corpora import open_corpus
from training.describe.description import UtteranceKey


def test_a_copy_without_clips_has_no_targets(tmp_path: Path) -> None:
    """Where only the csv files are, no clip is missing."""
    corpus = open_corpus("meld", make_meld(tmp_path / "meld", clips=False))
    assert list(find_targets(corpus)) == []


def test_a_missing_clip_is_a_target(tmp_path: Path) -> None:
    """Where a split has clips, every utterance of it should have one."""
    folder = make_meld(tmp_path / "meld")
    (folder / "dev/dev_splits_complete/dia0_utt1.mp4").unlink()
    targets = {target.key: target for target in find_targets(open_corpus("meld", folder))}
    missing = targets[UtteranceKey("meld", "dev", "0", 1)]
    assert (missing.clip, missing.wanted) == (None, ("audio", "video"))
    assert missing.expected_seconds is not None
    assert abs(missing.expected_seconds - SECONDS) < 1e-6


def test_a_copy_without_videos_wants_sound(tmp_path: Path) -> None:
    """IEMOCAP without its large avi folder is a copy with sound only."""
    folder = make_iemocap(tmp_path)
    for path in folder.rglob("*.avi"):
        path.unlink()
    targets = list(find_targets(open_corpus("iemocap", folder)))
    assert {target.wanted for target in targets} == {("audio",)}
    assert all(faults == () for _, faults in check_targets(targets, 1))


@dataclass(frozen=True)
class Crash(Target):
    """Ends the process that reads it, as a decoder does that is given the wrong bytes."""

    def __reduce__(self) -> tuple[Callable[[int], Any], tuple[int]]:
        """Unpickled by exiting."""
        return os._exit, (1,)


def test_a_crash_is_a_fault(tmp_path: Path) -> None:
    """A clip that crashes its process is corrupt; the others are probed all the same."""
    path = write_media(tmp_path / "a.mp4")
    clip = Clip(MediaCut(path), MediaCut(path))
    keys = [UtteranceKey("manifest", "train", "d", number) for number in range(4)]
    targets = [
        (Crash if key.utterance == 1 else Target)(key, clip, ("audio", "video"), SECONDS)
        for key in keys
    ]
    results = [(target.key, faults) for target, faults in check_targets(targets, 2)]
    assert len(results) == len(keys)
    kinds = {key: [fault.kind for fault in faults] for key, faults in results}
    assert kinds == dict(zip(keys, ([], ["corrupt"], [], []), strict=True))
