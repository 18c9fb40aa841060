"""The dialogues of a copy that has a part of the clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stream.errors import UserError
from tests.training.corpora_double import make_meld
from training.datasets.corpora import open_corpus
from training.datasets.corpus import Corpus, with_clips


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Two dialogues of train: of one the last clip is missing, of the other one all are."""
    whole = open_corpus("meld", make_meld(tmp_path / "meld"))
    (first, *_) = whole.splits["train"]
    *most, last = first.utterances
    part = replace(first, utterances=(*most, replace(last, clip=None)))
    bare = replace(first, utterances=tuple(replace(one, clip=None) for one in first.utterances))
    return replace(whole, splits={"train": (first, part, bare), "dev": (bare,)})


def test_all_are_kept_by_default(corpus: Corpus) -> None:
    """What has no clip has its words."""
    assert with_clips(corpus, 0.0) is corpus


@pytest.mark.parametrize(("least", "kept"), [(1e-9, 2), (1.0, 1)])
def test_a_dialogue_needs_its_share_of_clips(corpus: Corpus, least: float, kept: int) -> None:
    """Those that have less are left out and counted, and so is a split without any."""
    found = with_clips(corpus, least)
    assert (len(found.splits["train"]), "dev" in found.splits) == (kept, False)
    assert found.left_out == 4 - kept


def test_a_copy_without_any_clip_says_so(corpus: Corpus) -> None:
    """With the key to change."""
    bare = replace(corpus, splits={"dev": corpus.splits["dev"]})
    with pytest.raises(UserError, match=r"clips\.least"):
        with_clips(bare, 0.5)
