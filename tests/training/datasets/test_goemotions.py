"""GoEmotions' tsv files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from stream.errors import UserError
from training.datasets.goemotions import open_goemotions

LABELS = "anger\ndisgust\nfear\njoy\nneutral\nsadness\nsurprise\n"


def write(folder: Path, rows: str, labels: str = LABELS) -> Path:
    """A copy with these rows as its dev split."""
    (folder / "dev.tsv").write_text(rows, encoding="utf-8")
    (folder / "labels.txt").write_text(labels, encoding="utf-8")
    return folder


def test_comments(tmp_path: Path) -> None:
    """Each comment is a dialogue of its own; one with two labels has no emotion."""
    corpus = open_goemotions(write(tmp_path, "So glad!\t3\tabc\nWhat?\t4,6\tdef\n"))
    first, second = corpus.splits["dev"]
    assert (first.id, first.utterances[0].text, first.utterances[0].emotion) == (
        "abc", "So glad!", "joy",
    )  # fmt: skip
    assert second.utterances[0].emotion == ""


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("", "no comments"),
        ("Hi\t3\n", "line 1: 2 cells, expected 3"),
        ("Hi\t3\ta\nHo\t7\tb\n", "line 2: the labels are '7', expected numbers from 0 to 6"),
        ("Hi\t-1\ta\n", "line 1: the labels are '-1'"),
        ("Hi\tjoy\ta\n", "line 1: the labels are 'joy'"),
    ],
)
def test_malformed(tmp_path: Path, rows: str, problem: str) -> None:
    """The message names the file, the line and what was expected."""
    with pytest.raises(UserError, match=rf"dev\.tsv.*{problem}"):
        open_goemotions(write(tmp_path, rows))


def test_the_27_labels_are_refused(tmp_path: Path) -> None:
    """The first publication's labels are others: their numbers would mean something else."""
    with pytest.raises(UserError, match=r"labels\.txt has 'admiration', no Ekman emotion"):
        open_goemotions(write(tmp_path, "Hi\t0\ta\n", labels="admiration\namusement\n"))


def test_not_there(tmp_path: Path) -> None:
    """An empty folder is told what belongs there."""
    with pytest.raises(UserError, match=r"no tsv of GoEmotions(.|\n)*train\.tsv"):
        open_goemotions(tmp_path)


def test_published_counts(corpora: Path) -> None:
    """The numbers of comments, and of those with one label, come out."""
    corpus = open_goemotions(corpora / "goemotions")
    assert {split: len(found) for split, found in corpus.splits.items()} == {
        "train": 43410, "dev": 5426,
    }  # fmt: skip
    emotions = Counter(one.emotion for one in corpus.utterances("train"))
    assert (emotions["joy"], emotions["disgust"], emotions[""]) == (15216, 498, 3855)
