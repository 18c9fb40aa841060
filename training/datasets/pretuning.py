"""What words are pre-tuned on: conversations as they are, single comments gathered in dialogues."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from stream.errors import UserError
from training.datasets.corpora import open_corpus
from training.datasets.dialogues import Dialogue
from training.settings import Pretuning


def read_dialogues(settings: Pretuning, data: Path, split: str) -> list[Dialogue]:
    """Dialogues of all corpora, in a random order that is always the same.

    Args:
        settings: Name the corpora, and how much of them is read.
        data: Folder of corpora.
        split: `train` or `dev`.

    Raises:
        UserError: A corpus is not there.
    """
    rng, found = random.Random(f"pretune/{split}"), list[Dialogue]()
    for name in settings.corpora:
        dialogues = open_corpus(name, data / name).splits.get(split)
        if not dialogues:
            raise UserError(f"{data / name} has no {split} split: see docs/data.md")
        if max(len(one.utterances) for one in dialogues) > 1:
            found += dialogues
        else:
            found += gather(balanced(dialogues, settings.per_label, rng), settings.turns, rng)
    rng.shuffle(found)
    return found


def balanced(comments: Iterable[Dialogue], per_label: int, rng: random.Random) -> list[Dialogue]:
    """At most so many comments of each label, in random order; none without a label."""
    shuffled = [one for one in comments if one.utterances[0].emotion]
    rng.shuffle(shuffled)
    counts: Counter[str] = Counter()
    chosen = []
    for comment in shuffled:
        counts[comment.utterances[0].emotion] += 1
        if counts[comment.utterances[0].emotion] <= per_label:
            chosen.append(comment)
    return chosen


def gather(comments: Sequence[Dialogue], turns: int, rng: random.Random) -> list[Dialogue]:
    """Dialogues of `turns` unrelated comments, those of like length together.

    The instruction is read once for all of them, and a turn learns to stand on its own where
    those before it are about something else.
    """
    ordered = sorted(comments, key=lambda one: (len(one.utterances[0].text), rng.random()))
    groups = [ordered[start : start + turns] for start in range(0, len(ordered), turns)]
    return [
        Dialogue(group[0].id, tuple(comment.utterances[0] for comment in group)) for group in groups
    ]
