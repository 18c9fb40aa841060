"""A corpus of conversations with its published splits, whatever its layout on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.datasets.dialogues import Dialogue

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
