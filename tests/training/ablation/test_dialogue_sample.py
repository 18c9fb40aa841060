"""Fewer dialogues: the same ones each time, and only while asked for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from stream.errors import UserError
from training.ablation.sample import Sample, draw, fingerprint
from training.datasets.corpus import Corpus
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.script import Job
from training.smoke import Smoke


def dialogue(name: int) -> Dialogue:
    """One utterance."""
    return Dialogue(
        str(name), (DialogueUtterance(str(name), 0, "Ann", "Oh!", "surprise", None, None),)
    )


CORPUS = Corpus(
    "meld",
    ("surprise", "joy"),
    {split: tuple(dialogue(n) for n in range(50)) for split in ("train", "dev", "test")},
)


def test_a_draw_is_the_seeds() -> None:
    """The same seed draws the same, in the corpus's order; another seed others."""
    first = draw(CORPUS.splits["train"], 10, "1")
    assert first == draw(CORPUS.splits["train"], 10, "1")
    assert first != draw(CORPUS.splits["train"], 10, "2")
    numbers = [int(one.id) for one in first]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 10


@pytest.mark.parametrize("count", [None, 50, 51])
def test_enough_is_all(count: int | None) -> None:
    """No more can be drawn than there are."""
    assert draw(CORPUS.splits["train"], count, "1") == CORPUS.splits["train"]


def test_test_is_out_of_reach() -> None:
    """Nothing that is chosen here may have seen it."""
    sampled = Sample(train=3).of(CORPUS)
    assert {split: len(found) for split, found in sampled.splits.items()} == {"train": 3, "dev": 50}


def test_the_fingerprint_sees_a_label() -> None:
    """Figures of one corpus are not gone on with on another."""
    changed = list(CORPUS.splits["dev"])
    first = changed[7].utterances[0]
    changed[7] = Dialogue("7", (dataclasses.replace(first, emotion="joy"),))
    other = dataclasses.replace(CORPUS, splits={**CORPUS.splits, "dev": tuple(changed)})
    assert fingerprint(CORPUS) == fingerprint(dataclasses.replace(CORPUS))
    assert fingerprint(CORPUS) != fingerprint(other)
    assert fingerprint(Sample(train=3).of(CORPUS)) != fingerprint(Sample(train=4).of(CORPUS))


def test_trainings_are_given_the_sample(smoke: Smoke, tmp_path: Path) -> None:
    """What the experiment drew is what every step of it opens."""
    job = Job(smoke.recipe, smoke.data, tmp_path, tmp_path)
    whole = job.open_corpus()
    drawn = dataclasses.replace(job, corpus=Sample(train=2, dev=3).of(whole)).open_corpus()
    assert (len(drawn.splits["train"]), len(drawn.splits["dev"])) == (2, 3)
    assert set(drawn.splits["train"]) < set(whole.splits["train"])


@pytest.mark.parametrize(("train", "dev"), [(0, None), (-1, 5), (None, 1)])
def test_nothing_is_no_sample(train: int | None, dev: int | None) -> None:
    """The flag is named."""
    with pytest.raises(UserError, match=r"--(dev-)?dialogues: at least"):
        Sample(train, dev)
