"""A corpus of conversations with its published splits, whatever its layout on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stream.errors import UserError
from training.datasets.dialogues import Dialogue, DialogueUtterance

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Corpus:
    """Conversations and what their labels are called."""

    name: str
    """Key in `CORPORA`."""
    labels: tuple[str, ...]
    """Emotions in the order that the corpus's papers report them."""
    splits: Mapping[str, tuple[Dialogue, ...]]
    """By name, of `SPLITS`; a split that the copy lacks is not there."""

    def utterances(self, split: str) -> Iterator[DialogueUtterance]:
        """Those of one split in order, the ones without a target too."""
        for dialogue in self.splits[split]:
            yield from dialogue.utterances


def wrong_layout(folder: Path, problem: str, tree: str) -> UserError:
    """An error that shows what a folder should look like.

    Args:
        folder: What the user gave.
        problem: What is wrong with it.
        tree: The layout as an indented tree.
    """
    return UserError(f"{folder}: {problem}. Expected this layout (docs/data.md):\n{tree}")


def require_folder(folder: Path, tree: str) -> None:
    """Refuse what is no folder.

    Raises:
        UserError: With the expected layout.
    """
    if not folder.is_dir():
        problem = (
            "is a file; give the folder that it is in" if folder.exists() else "no such folder"
        )
        raise wrong_layout(folder, problem, tree)


def find_tables(folder: Path, names: Mapping[str, str], depth: int = 2) -> dict[str, Path]:
    """The table of every split, however deep an archive was unpacked.

    Args:
        folder: Where to look.
        names: File name by split.
        depth: How many folders below it may lie; the nearest one counts.

    Raises:
        UserError: If two tables of one split are equally near and differ.
    """
    found: dict[str, Path] = {}
    for split, name in names.items():
        for level in range(depth + 1):
            paths = sorted(path for path in folder.glob("*/" * level + name) if path.is_file())
            if len(paths) > 1 and len({path.read_bytes() for path in paths}) > 1:
                where = " and ".join(str(path) for path in paths[:2])
                raise UserError(f"{where} differ: which is the {split} split? Give one's folder")
            if paths:
                found[split] = paths[0]
                break
    return found
