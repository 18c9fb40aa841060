"""Files beside the clips that belong to no utterance."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from training.checks.faults import KNOWN_EXTRA
from training.datasets.corpus import Corpus

RESOURCE = "macOS resource files"
VARIANT = "final_videos_test variants"
KNOWN = "known clips without a row"
UNKNOWN = "others"


def find_extras(corpus: Corpus) -> Mapping[str, tuple[Path, ...]]:
    """Files in the folders of the clips that no clip uses, by kind; kinds without any are left out.

    They do no harm, but a large number of the last kind means a table of another copy.
    """
    used = {
        cut.path
        for split in corpus.splits
        for utterance in corpus.utterances(split)
        if utterance.clip is not None
        for cut in (utterance.clip.video, utterance.clip.audio)
        if cut is not None
    }
    found: dict[str, list[Path]] = {}
    for folder in sorted({path.parent for path in used}):
        for path in _files(folder):
            if path not in used:
                found.setdefault(_kind(path), []).append(path)
    order = (UNKNOWN, KNOWN, VARIANT, RESOURCE)
    return {kind: tuple(found[kind]) for kind in order if kind in found}


def _files(folder: Path) -> list[Path]:
    """The files of a folder; none where a manifest names one that does not exist."""
    if not os.path.isdir(folder):  # which, unlike Path.is_dir, takes any name
        return []
    with os.scandir(folder) as entries:
        return sorted(folder / entry.name for entry in entries if entry.is_file())


def _kind(path: Path) -> str:
    if path.name.startswith("._") or path.name == ".DS_Store":
        return RESOURCE
    if path.name.startswith("final_videos_test"):
        return VARIANT
    return KNOWN if f"{path.parent.name}/{path.name}" in KNOWN_EXTRA else UNKNOWN
