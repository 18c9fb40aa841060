"""How many utterances of each class a corpus has, against the published numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from training.datasets.corpus import Corpus
from training.datasets.labels import EMORYNLP_LABELS, IEMOCAP_LABELS, MELD_LABELS


@dataclass(frozen=True)
class SplitCounts:
    """What one split of a copy has."""

    dialogues: int
    utterances: int
    """With and without a target."""
    classes: Mapping[str, int]
    """Utterances by label, in the corpus's order of labels; labels that do not occur with 0."""

    @property
    def without_target(self) -> int:
        """Utterances that are context only."""
        return self.utterances - sum(self.classes.values())


@dataclass(frozen=True)
class Published:
    """Numbers of utterances with a target that a publication gives."""

    splits: tuple[str, ...]
    """Splits that they are the sum of."""
    classes: Mapping[str, int]
    """By label; empty where only the total is published."""
    total: int


def _published(splits: tuple[str, ...], labels: tuple[str, ...], *counts: int) -> Published:
    return Published(splits, dict(zip(labels, counts, strict=True)), sum(counts))


PUBLISHED: Mapping[str, tuple[Published, ...]] = MappingProxyType(
    {
        # Poria et al., 2019, table 3.
        "meld": (
            _published(("train",), MELD_LABELS, 4710, 1743, 1205, 1109, 683, 271, 268),
            _published(("dev",), MELD_LABELS, 470, 163, 150, 153, 111, 22, 40),
            _published(("test",), MELD_LABELS, 1256, 402, 281, 345, 208, 68, 50),
        ),
        # The labels of the release; which of sessions 1 to 4 is dev is our choice.
        "iemocap": (
            _published(("train", "dev"), IEMOCAP_LABELS, 452, 839, 1324, 933, 742, 1468),
            _published(("test",), IEMOCAP_LABELS, 143, 245, 384, 170, 299, 381),
        ),
        # The csv files as published.
        "emorynlp": (
            _published(("train",), EMORYNLP_LABELS, 2485, 1677, 638, 551, 941, 785, 474),
            _published(("dev",), EMORYNLP_LABELS, 322, 205, 82, 70, 127, 97, 51),
            Published(("test",), {}, 984),
        ),
    }
)
"""By corpus; own data has none."""


def count(corpus: Corpus) -> dict[str, SplitCounts]:
    """Count every split of a copy."""
    return {split: _count_split(corpus, split) for split in corpus.splits}


def _count_split(corpus: Corpus, split: str) -> SplitCounts:
    emotions = Counter(utterance.emotion for utterance in corpus.utterances(split))
    return SplitCounts(
        dialogues=len(corpus.splits[split]),
        utterances=emotions.total(),
        classes={label: emotions[label] for label in corpus.labels},
    )


def differences(corpus: str, counts: Mapping[str, SplitCounts]) -> list[str]:
    """Where a copy has other numbers than are published, in words; splits it lacks are no fault."""
    found = []
    for published in PUBLISHED.get(corpus, ()):
        present = [counts[split] for split in published.splits if split in counts]
        if not present:
            continue
        where = " and ".join(published.splits)
        classes: Counter[str] = Counter()
        for split in present:
            classes.update(split.classes)
        for label, expected in published.classes.items():
            if classes[label] != expected:
                found.append(f"{where}: {classes[label]} {label}, published {expected}")
        if classes.total() != published.total:
            total = f"{where}: {classes.total()} utterances with a target"
            found.append(f"{total}, published {published.total}")
    return found
