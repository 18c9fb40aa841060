"""A corpus of conversations with its published splits, whatever its layout on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stream.errors import UserError
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.datasets.folders import folders_below

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
    left_out: int = 0
    """Dialogues that are not in it because too few of their utterances have a clip."""

    def utterances(self, split: str) -> Iterator[DialogueUtterance]:
        """Those of one split in order, the ones without a target too."""
        for dialogue in self.splits[split]:
            yield from dialogue.utterances


def with_clips(corpus: Corpus, least: float) -> Corpus:
    """Only the dialogues of which enough utterances have a clip.

    Args:
        corpus: A copy, which may have a part of the clips alone.
        least: Share of a dialogue's utterances; 0 keeps every dialogue.

    Raises:
        UserError: No dialogue has so many.
    """
    if least <= 0:
        return corpus

    def has_enough(dialogue: Dialogue) -> bool:
        present = sum(utterance.clip is not None for utterance in dialogue.utterances)
        return present > 0 and present >= least * len(dialogue.utterances)

    kept = {name: tuple(filter(has_enough, split)) for name, split in corpus.splits.items()}
    kept = {name: split for name, split in kept.items() if split}
    if not kept:
        raise UserError(
            f"no dialogue of this copy of {corpus.name} has clips of {least:.0%} of its "
            "utterances: lower the recipe's clips.least, or see docs/data.md for where they belong"
        )
    before, after = (sum(map(len, splits.values())) for splits in (corpus.splits, kept))
    return replace(corpus, splits=kept, left_out=corpus.left_out + before - after)


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
        UserError: If a folder cannot be read, or two tables of one split are equally near and
            differ.
    """
    folders = list(folders_below(folder, depth))
    found: dict[str, Path] = {}
    for split, name in names.items():
        paths = [path for path in (one / name for one in folders) if path.is_file()]
        if not paths:
            continue
        nearest = min(len(path.parts) for path in paths)
        paths = sorted(path for path in paths if len(path.parts) == nearest)
        if len(paths) > 1 and len({path.read_bytes() for path in paths}) > 1:
            where = " and ".join(str(path) for path in paths[:2])
            raise UserError(f"{where} differ: which is the {split} split? Give one's folder")
        found[split] = paths[0]
    return found
