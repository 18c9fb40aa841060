"""IEMOCAP in the layout of its release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.errors import UserError
from tests.training.corpora_double import make_iemocap
from training.datasets.clip import Clip, MediaCut
from training.datasets.iemocap import DEV_DIALOGUES, open_iemocap, split_of
from training.datasets.iemocap_names import session_of
from training.datasets.labels import IEMOCAP_LABELS


def test_dialogues(tmp_path: Path) -> None:
    """Utterances stand in order of time; those without a target stay as context."""
    corpus = open_iemocap(make_iemocap(tmp_path))
    assert (corpus.name, corpus.labels) == ("iemocap", IEMOCAP_LABELS)
    (dialogue,) = corpus.splits["train"]
    assert dialogue.id == "Ses01M_script01_1"
    assert [
        (one.utterance_id, one.speaker, one.text, one.emotion) for one in dialogue.utterances
    ] == [
        (0, "Ses01_M", "Words of M000.", "angry"),
        (1, "Ses01_F", "Words of F000.", ""),
        (2, "Ses01_M", "Words of M001.", "excited"),
        (3, "Ses01_F", "Words of F001.", "happy"),
    ]


def test_clips(tmp_path: Path) -> None:
    """Pictures are cut from the recording, on the speaker's side; sound is the utterance's file."""
    folder = make_iemocap(tmp_path)
    first, second, *_ = open_iemocap(folder).utterances("train")
    session = folder / "Session1"
    name = "Ses01M_script01_1"
    assert first.clip == Clip(
        video=MediaCut(session / "dialog/avi/DivX" / f"{name}.avi", 0.1, 0.7),
        audio=MediaCut(session / "sentences/wav" / name / f"{name}_M000.wav"),
        side="left",
    )
    assert second.clip is not None
    assert second.clip.side == "right"


def test_splits(tmp_path: Path) -> None:
    """Session 5 is test, and dev is chosen by recording."""
    corpus = open_iemocap(make_iemocap(tmp_path))
    assert {split: [one.id for one in found] for split, found in corpus.splits.items()} == {
        "train": ["Ses01M_script01_1"],
        "dev": ["Ses01F_impro01"],
        "test": ["Ses05M_script01_1b"],
    }


def test_dev_is_spread() -> None:
    """Dev has three recordings of each of sessions 1 to 4, with both actors and all scenarios."""
    assert Counter(session_of(name) for name in DEV_DIALOGUES) == dict.fromkeys((1, 2, 3, 4), 3)
    improvised = sorted(name[-1] for name in DEV_DIALOGUES if "impro" in name)
    assert improvised == list("12345678")
    assert Counter(name[5] for name in DEV_DIALOGUES) == {"F": 6, "M": 6}
    assert {split_of(name) for name in DEV_DIALOGUES} == {"dev"}
    assert split_of("Ses05F_impro01") == "test"


def test_partial_media(tmp_path: Path) -> None:
    """A clip lacks what is not in the copy; without sound and pictures there is no clip."""
    folder = make_iemocap(tmp_path)
    dialogue = "Ses01M_script01_1"
    wavs = folder / "Session1/sentences/wav" / dialogue
    (wavs / f"{dialogue}_M000.wav").unlink()
    assert next(open_iemocap(folder).utterances("train")).clip == Clip(
        MediaCut(folder / "Session1/dialog/avi/DivX" / f"{dialogue}.avi", 0.1, 0.7),
        None,
        "left",
    )
    (folder / "Session1/dialog/avi/DivX" / f"{dialogue}.avi").unlink()
    first, second, *_ = open_iemocap(folder).utterances("train")
    assert first.clip is None
    assert second.clip is not None
    assert second.clip.video is None


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    """Neither macOS's files nor those of single annotators are taken for recordings."""
    folder = make_iemocap(tmp_path)
    evaluations = folder / "Session1/dialog/EmoEvaluation"
    (evaluations / "Categorical").mkdir()
    (evaluations / "Categorical" / "Ses01F_impro01_e2_cat.txt").write_text("x", encoding="utf-8")
    (evaluations / "._Ses01F_impro01.txt").write_bytes(b"\0\5\x16\7")
    (evaluations / "Session notes.txt").write_text("x", encoding="utf-8")
    assert len(open_iemocap(folder).splits["dev"]) == 1


def test_one_folder_up(tmp_path: Path) -> None:
    """The folder above the release's own is found too."""
    make_iemocap(tmp_path / "IEMOCAP_full_release")
    assert set(open_iemocap(tmp_path).splits) == {"train", "dev", "test"}


def test_a_folder_that_cannot_be_read(tmp_path: Path, lock: Callable[[Path], None]) -> None:
    """Its dialogues are not silently absent."""
    folder = make_iemocap(tmp_path)
    lock(folder / "Session5/dialog/EmoEvaluation")
    with pytest.raises(UserError, match="Session5/dialog/EmoEvaluation: Permission denied; check"):
        open_iemocap(folder)


def test_truncated_transcription(tmp_path: Path) -> None:
    """A transcription that lacks an evaluated utterance is cut off, and the message says which."""
    folder = make_iemocap(tmp_path)
    path = folder / "Session5/dialog/transcriptions/Ses05M_script01_1b.txt"
    content = path.read_bytes()
    path.write_bytes(content[: content.rfind(b"Ses05M")])
    with pytest.raises(UserError, match=r"1b\.txt: no words of Ses05M_script01_1b_M000"):
        open_iemocap(folder)


def test_missing_transcription(tmp_path: Path) -> None:
    """A recording without transcription is named."""
    folder = make_iemocap(tmp_path)
    (folder / "Session1/dialog/transcriptions/Ses01F_impro01.txt").unlink()
    with pytest.raises(UserError, match=r"transcriptions/Ses01F_impro01\.txt: No such file"):
        open_iemocap(folder)


def test_wrong_folder(tmp_path: Path) -> None:
    """What is no copy is refused with the layout."""
    with pytest.raises(UserError, match=r"Expected this layout(.|\n)*dialog/EmoEvaluation"):
        open_iemocap(tmp_path)
