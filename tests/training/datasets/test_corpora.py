"""One door to all conversation corpora."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import UserError
from tests.training.corpora_double import make_iemocap, make_meld
from training.datasets.corpora import CORPORA, open_corpus
from training.datasets.labels import CORPUS_LABELS, EMORYNLP_LABELS

EMORYNLP = (
    "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,Start_Time,End_Time\n"
    "Coffee.,['Rachel Green'],Neutral,1,1,1,15,00:00:03.795,00:00:05.004\n"
)


def test_names() -> None:
    """Every corpus with labels has a reader, and own data has one too."""
    assert set(CORPORA) == {*CORPUS_LABELS, "manifest"}


def test_unknown_corpus(tmp_path: Path) -> None:
    """The message lists the corpora."""
    with pytest.raises(UserError, match="no corpus 'melt'; there are meld, iemocap"):
        open_corpus("melt", tmp_path)


def test_meld_and_iemocap(tmp_path: Path) -> None:
    """Both come with their labels, and all emotions are among these or empty."""
    folders = {"meld": make_meld(tmp_path / "m"), "iemocap": make_iemocap(tmp_path / "i")}
    for name, folder in folders.items():
        corpus = open_corpus(name, folder)
        assert (corpus.name, corpus.labels) == (name, CORPUS_LABELS[name])
        emotions = {one.emotion for split in corpus.splits for one in corpus.utterances(split)}
        assert emotions <= {*corpus.labels, ""}


def test_emorynlp(tmp_path: Path) -> None:
    """EmoryNLP's csv files are found below the folder; splits that are not there are left out."""
    (tmp_path / "data").mkdir()
    for split in ("dev", "test"):
        (tmp_path / "data" / f"emorynlp_{split}_final.csv").write_text(EMORYNLP, encoding="utf-8")
    corpus = open_corpus("emorynlp", tmp_path)
    assert (corpus.labels, list(corpus.splits)) == (EMORYNLP_LABELS, ["dev", "test"])
    assert [one.text for one in corpus.utterances("test")] == ["Coffee."]


def test_not_emorynlp(tmp_path: Path) -> None:
    """MELD's folder is not EmoryNLP's."""
    with pytest.raises(
        UserError, match=r"no csv of EmoryNLP in it(.|\n)*emorynlp_train_final\.csv"
    ):
        open_corpus("emorynlp", make_meld(tmp_path / "meld", clips=False))


def test_bad_csv_names_file_and_line(tmp_path: Path) -> None:
    """Through the door too, a malformed table is named with its line."""
    folder = make_meld(tmp_path / "meld", clips=False)
    path = folder / "dev_sent_emo.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("sadness", "gloom"), encoding="utf-8")
    with pytest.raises(UserError, match=r"dev_sent_emo\.csv, line 3: Emotion is 'gloom'"):
        open_corpus("meld", folder)
    path.write_text("Utterance,Speaker\nHi.,Ross\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"dev_sent_emo\.csv: no column Emotion, Dialogue_ID"):
        open_corpus("meld", folder)


def test_real_emorynlp(corpora: Path) -> None:
    """The published numbers come out."""
    corpus = open_corpus("emorynlp", corpora / "emorynlp")
    numbers = {split: sum(1 for _ in corpus.utterances(split)) for split in corpus.splits}
    assert (numbers["train"], numbers["dev"]) == (7551, 954)
