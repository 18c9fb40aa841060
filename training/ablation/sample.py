"""Fewer dialogues, drawn by a seed, where a whole corpus takes too long."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from stream.errors import UserError
from training.datasets.corpus import Corpus
from training.datasets.dialogues import Dialogue


@dataclass(frozen=True)
class Sample:
    """How much of a corpus is used."""

    train: int | None = None
    """Dialogues that are trained on; None for all."""
    dev: int | None = None
    """Dialogues that are scored; None for all."""
    seed: int = 1
    """Of the draw; the same for all variants and trainings."""

    def __post_init__(self) -> None:
        """Refuse samples that nothing can be learned or compared on."""
        if self.train is not None and self.train < 1:
            raise UserError("--dialogues: at least 1")
        if self.dev is not None and self.dev < 2:
            raise UserError("--dev-dialogues: at least 2, or nothing can be compared")

    def of(self, corpus: Corpus) -> Corpus:
        """The corpus with fewer dialogues in train and dev; test is taken away."""
        sizes = {"train": self.train, "dev": self.dev}
        return dataclasses.replace(
            corpus,
            splits={
                split: draw(corpus.splits[split], size, f"{self.seed}/{split}")
                for split, size in sizes.items()
                if split in corpus.splits
            },
        )


def draw(dialogues: Sequence[Dialogue], count: int | None, seed: str) -> tuple[Dialogue, ...]:
    """Some of the dialogues, in their order; all where there are no more than `count`."""
    if count is None or count >= len(dialogues):
        return tuple(dialogues)
    places = random.Random(seed).sample(range(len(dialogues)), count)
    return tuple(dialogues[place] for place in sorted(places))


def fingerprint(corpus: Corpus) -> str:
    """SHA-256 of what is said, by whom and with which label, in every split."""
    content = {
        split: [
            [one.id, [[u.utterance_id, u.speaker, u.text, u.emotion] for u in one.utterances]]
            for one in dialogues
        ]
        for split, dialogues in corpus.splits.items()
    }
    written = json.dumps([corpus.name, content], sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()
