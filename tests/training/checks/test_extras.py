"""Files of no utterance."""

from __future__ import annotations

import json
from pathlib import Path

from tests.training.corpora_double import make_iemocap, make_meld
from training.checks.extras import RESOURCE, UNKNOWN, find_extras
from training.datasets.corpora import open_corpus


def test_none_in_a_whole_copy(tmp_path: Path) -> None:
    """A copy with exactly its clips has none."""
    for name, folder in (
        ("meld", make_meld(tmp_path / "m")),
        ("iemocap", make_iemocap(tmp_path / "i")),
    ):
        assert find_extras(open_corpus(name, folder)) == {}


def test_iemocap(tmp_path: Path) -> None:
    """A wav without label and macOS's files are told apart."""
    folder = make_iemocap(tmp_path)
    wavs = folder / "Session1/sentences/wav/Ses01F_impro01"
    for name in ("Ses01F_impro01_F099.wav", "._Ses01F_impro01_F000.wav"):
        (wavs / name).write_bytes(b"x")
    found = find_extras(open_corpus("iemocap", folder))
    assert found == {
        UNKNOWN: (wavs / "Ses01F_impro01_F099.wav",),
        RESOURCE: (wavs / "._Ses01F_impro01_F000.wav",),
    }


def test_folders_that_do_not_exist(tmp_path: Path) -> None:
    """A manifest may name files anywhere; a folder that is not there has no files."""
    line = {"split": "dev", "dialogue": "d", "utterance": 0, "speaker": "A", "text": ""}
    line |= {"audio": f"{'long' * 100}/a.wav"}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(line), encoding="utf-8")
    assert find_extras(open_corpus("manifest", tmp_path)) == {}
