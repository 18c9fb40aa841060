"""The conversation corpora, each opened by its name from the folder that it is in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from stream.errors import UserError
from training.datasets.corpus import (
    Corpus,
    find_tables,
    require_folder,
    with_clips,
    wrong_layout,
)
from training.datasets.dailydialog import open_dailydialog
from training.datasets.emorynlp import read_emorynlp
from training.datasets.goemotions import open_goemotions
from training.datasets.iemocap import open_iemocap
from training.datasets.labels import EMORYNLP_LABELS
from training.datasets.manifest import open_manifest
from training.datasets.meld_clips import open_meld

EMORYNLP_TABLES: Mapping[str, str] = MappingProxyType(
    {
        "train": "emorynlp_train_final.csv",
        "dev": "emorynlp_dev_final.csv",
        "test": "emorynlp_test_final.csv",
    }
)
"""File name of each split's csv."""

EMORYNLP_TREE = """\
  emorynlp/
    emorynlp_train_final.csv  emorynlp_dev_final.csv  emorynlp_test_final.csv"""


def open_emorynlp(folder: Path) -> Corpus:
    """Read EmoryNLP, which is text alone.

    Args:
        folder: Holds its csv files, at most two folders deep.

    Raises:
        UserError: If the folder has none of them, or one is malformed.
    """
    require_folder(folder, EMORYNLP_TREE)
    tables = find_tables(folder, EMORYNLP_TABLES)
    if not tables:
        raise wrong_layout(folder, "no csv of EmoryNLP in it", EMORYNLP_TREE)
    splits = {split: tuple(read_emorynlp(path)) for split, path in tables.items()}
    return Corpus("emorynlp", EMORYNLP_LABELS, splits)


CORPORA: Mapping[str, Callable[[Path], Corpus]] = MappingProxyType(
    {
        "meld": open_meld,
        "iemocap": open_iemocap,
        "emorynlp": open_emorynlp,
        "goemotions": open_goemotions,
        "dailydialog": open_dailydialog,
        "manifest": open_manifest,
    }
)
"""How to open each; `manifest` is any own data."""


def open_corpus(name: str, folder: Path, least_clips: float = 0.0) -> Corpus:
    """Open a corpus.

    Args:
        name: Key in `CORPORA`.
        folder: Where the copy is.
        least_clips: Only dialogues with clips of this share of their utterances (`with_clips`).

    Raises:
        UserError: If there is no such corpus, or the folder is not in its layout; the message then
            shows the layout.
    """
    if name not in CORPORA:
        raise UserError(f"no corpus {name!r}; there are {', '.join(CORPORA)}")
    return with_clips(CORPORA[name](folder), least_clips)
