"""Counts against the published numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.corpora_double import make_iemocap, make_meld
from training.checks.counts import PUBLISHED, SplitCounts, count, differences
from training.datasets.corpora import open_corpus


def test_totals() -> None:
    """MELD has 13,708 utterances, IEMOCAP 7,380 in six classes, EmoryNLP 9,489."""
    totals = {name: sum(one.total for one in parts) for name, parts in PUBLISHED.items()}
    assert totals == {"meld": 13_708, "iemocap": 7_380, "emorynlp": 9_489}


def test_iemocap_classes() -> None:
    """Happy has 595 utterances, not the 648 of circulating pickles."""
    train, test = PUBLISHED["iemocap"]
    classes = {label: train.classes[label] + test.classes[label] for label in train.classes}
    assert classes == {
        "happy": 595,
        "sad": 1084,
        "neutral": 1708,
        "angry": 1103,
        "excited": 1041,
        "frustrated": 1849,
    }


def test_count_keeps_context_apart(tmp_path: Path) -> None:
    """Utterances without a target are counted, but in no class."""
    counts = count(open_corpus("iemocap", make_iemocap(tmp_path)))
    assert counts["train"].utterances == 4
    assert counts["train"].without_target == 1
    assert {label for label, number in counts["train"].classes.items() if number} == {
        "angry",
        "excited",
        "happy",
    }


def test_published_counts_are_no_difference() -> None:
    """A copy with the published numbers has none; the two parts of sessions 1 to 4 are one sum."""
    for name, parts in PUBLISHED.items():
        counts = {}
        for part in parts:
            first, *others = part.splits
            classes = dict(part.classes) or {"neutral": part.total}
            counts[first] = SplitCounts(1, part.total, classes)
            counts.update({other: SplitCounts(0, 0, {}) for other in others})
        assert differences(name, counts) == []


@pytest.mark.parametrize("label", ["joy", "fear"])
def test_difference_is_named(label: str) -> None:
    """One utterance too many is named with its class, and so is the total."""
    (published, *_) = PUBLISHED["meld"]
    classes = {**published.classes, label: published.classes[label] + 1}
    counts = {"train": SplitCounts(1038, 9990, classes)}
    first, second = differences("meld", counts)
    assert first == f"train: {classes[label]} {label}, published {published.classes[label]}"
    assert second == "train: 9990 utterances with a target, published 9989"


def test_own_data_has_no_published_counts(tmp_path: Path) -> None:
    """Nothing is compared for corpora without publication."""
    counts = count(open_corpus("meld", make_meld(tmp_path / "meld", clips=False)))
    assert differences("manifest", counts) == []
    assert differences("meld", counts)
