"""Keys change with what matters and with nothing else; entries are whole or absent."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.model.spec import ModelSpec, compact, paper
from stream.errors import UserError
from training.clips.cache import Entry, EntryStore, clip_key, weights_digest
from training.clips.hashes import INDEX, MediaHashes
from training.datasets.clip import Clip, MediaCut

KEY = "ab" * 32


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """A file; what it holds does not matter here."""
    path = tmp_path / "data" / "film.mp4"
    path.parent.mkdir()
    path.write_bytes(b"pictures and sound")
    return path


def key(path: Path, spec: ModelSpec | None = None, **changes: Any) -> str:
    """The key of a cut of a file."""
    clip = Clip(MediaCut(path, 1.0, 2.0), MediaCut(path, 1.0, 2.0), "left")
    clip = dataclasses.replace(clip, **changes)
    return clip_key(clip, spec or compact(), MediaHashes(path.parent / "cache").digest)


def changed(part: str, **changes: Any) -> ModelSpec:
    """The compact spec with other numbers in one part."""
    spec = compact()
    return dataclasses.replace(spec, **{part: dataclasses.replace(getattr(spec, part), **changes)})


def test_a_moved_file_keeps_its_key(media: Path) -> None:
    """Only the bytes count, not the path, nor when it was written."""
    moved = media.with_name("other.avi")
    before = key(media)
    shutil.copy(media, moved)
    os.utime(moved, ns=(1, 1))
    assert key(moved) == before


def test_other_bytes_have_another_key(media: Path) -> None:
    """Also when the file is as long as before."""
    before = key(media)
    media.write_bytes(b"pictures and SOUND")
    os.utime(media, ns=(1, 1))
    assert key(media) != before


@pytest.mark.parametrize(
    "changes",
    [
        {"side": "right"},
        {"side": None},
        {"video": None},
        {"audio": None},
        {"video": MediaCut(Path("film.mp4"), 1.0, 2.5)},
        {"audio": MediaCut(Path("film.mp4"), 1.5, 2.0)},
    ],
)
def test_another_cut_has_another_key(
    media: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """Start, end, side and which of the two there are."""
    monkeypatch.chdir(media.parent)
    assert key(media, **changes) != key(media)


@pytest.mark.parametrize(
    "spec",
    [
        changed("video", source="frame"),
        changed("video", size=64),
        changed("video", frames=32),
        changed("video", face_scale=1.5),
        changed("video", face_offset=0.0),
        changed("video", densenet=paper().video.densenet),
        changed("audio", feature_set="ComParE_2016"),
        changed("audio", window_seconds=3.0),
        changed("audio", hop_seconds=0.5),
        changed("audio", max_windows=4),
    ],
)
def test_numbers_that_matter_change_the_key(media: Path, spec: ModelSpec) -> None:
    """Everything that decides over the arrays."""
    assert key(media, spec) != key(media)


@pytest.mark.parametrize(
    "spec",
    [
        compact(name="other"),
        changed("video", tokens=4),
        changed("video", mean=0.4),
        changed("audio", hidden=0),
        changed("prompt", context_tokens=7),
        changed("llm", lora_rank=1),
    ],
)
def test_numbers_after_the_encoders_do_not(media: Path, spec: ModelSpec) -> None:
    """An ablation of the prompt does not read a film again."""
    assert key(media, spec) == key(media)


def test_framing_of_faces_is_nothing_to_whole_frames(media: Path) -> None:
    """Where no face is cut, how faces are cut does not count."""
    one = changed("video", source="frame")
    other = changed("video", source="frame", face_scale=2.0)
    assert key(media, one) == key(media, other)


def test_a_missing_file_has_a_key_until_it_comes(media: Path) -> None:
    """The broken clip is found again, and is another one once the file is there."""
    missing = media.with_name("none.mp4")
    before = key(missing)
    assert before == key(missing)
    shutil.copy(media, missing)
    assert key(missing) != before


def test_a_film_is_hashed_once(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next process reads the index, not the film."""
    digest = MediaHashes(media.parent).digest(media)
    opened: list[Path] = []
    real = Path.open

    def watched(path: Path, *arguments: Any, **options: Any) -> Any:
        opened.append(path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", watched)
    hashes = MediaHashes(media.parent)
    hashes.digest_all([media, media], 2)
    assert hashes.digest(media) == digest
    assert media not in opened
    os.utime(media, ns=(5, 5))
    assert MediaHashes(media.parent).digest(media) == digest
    assert media in opened


@pytest.mark.parametrize("name", ["none.mp4", "nu\0l.mp4", "."])
def test_what_cannot_be_read_is_hashed_as_such(tmp_path: Path, name: str) -> None:
    """A missing file, a name that no file can have and a folder are remembered nowhere."""
    hashes = MediaHashes(tmp_path)
    hashes.digest_all([tmp_path / name], 1)
    assert hashes.digest(tmp_path / name).startswith("unreadable: ")
    assert not (tmp_path / INDEX).exists()


def test_a_torn_index_costs_only_what_was_torn(media: Path) -> None:
    """Garbage, a line cut off and a line of another shape are passed over."""
    other = media.with_name("other.mp4")
    other.write_bytes(b"other")
    hashes = MediaHashes(media.parent)
    expected = [hashes.digest(media), hashes.digest(other)]
    index = media.parent / INDEX
    lines = index.read_bytes().splitlines()
    index.write_bytes(b"\xff\xfe\n[1]\n" + lines[0] + b"\n" + lines[1][:30])
    hashes = MediaHashes(media.parent)
    assert [hashes.digest(media), hashes.digest(other)] == expected
    assert MediaHashes(media.parent).digest(other) == expected[1]


def test_entries_come_back(tmp_path: Path) -> None:
    """Tensors with their types, and the notes; another key has nothing."""
    store = EntryStore(tmp_path / "new" / "folder")
    tensors = {"a": np.arange(6, dtype=np.uint8).reshape(2, 3), "b": np.ones(2, np.float32)}
    store.write(KEY, Entry(tensors, {"reasons": "[]"}))
    entry = store.read(KEY)
    assert entry is not None
    assert entry.metadata == {"reasons": "[]"} == store.read_metadata(KEY)
    for name, values in tensors.items():
        assert entry.tensors[name].dtype == values.dtype
        assert np.array_equal(entry.tensors[name], values)
    assert store.read("cd" * 32) is None
    assert store.read_metadata("cd" * 32) is None


@pytest.mark.parametrize("left", [0, 5, 60])
def test_a_damaged_entry_is_none(tmp_path: Path, left: int) -> None:
    """A file cut off by a crash of the machine is made again."""
    store = EntryStore(tmp_path)
    store.write(KEY, Entry({"a": np.ones(100)}, {}))
    path = store.path(KEY)
    path.write_bytes(path.read_bytes()[:left])
    assert store.read(KEY) is None
    assert store.read_metadata(KEY) is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_said_and_loses_nothing(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry that was there stays, no part of the new one does, and the folder is named."""
    store = EntryStore(tmp_path)
    store.write(KEY, Entry({"a": np.zeros(3)}, {}))

    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(number, "Full")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="full; free some space") as raised:
        store.write(KEY, Entry({"a": np.ones(3)}, {}))
    assert str(tmp_path) in str(raised.value)
    entry = store.read(KEY)
    assert entry is not None
    assert entry.tensors["a"].tolist() == [0, 0, 0]
    assert list(store.path(KEY).parent.iterdir()) == [store.path(KEY)]


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    """Neither entries nor the index can be below a file."""
    path = tmp_path / "file"
    path.write_text("in the way")
    with pytest.raises(UserError, match="--cache"):
        EntryStore(path).write(KEY, Entry({}, {}))
    with pytest.raises(UserError, match="--cache"):
        MediaHashes(path).digest(path)


def test_a_network_is_known_by_its_weights() -> None:
    """Another value, name, shape, type or number is another network."""
    weights = {"a": np.arange(6.0), "b": np.ones(2)}
    base = weights_digest(weights, 0.5, True)
    assert weights_digest(dict(reversed(weights.items())), 0.5, True) == base
    others = [
        weights_digest(weights, 0.4, True),
        weights_digest(weights, 0.5, False),
        weights_digest({"a": np.arange(6.0), "c": np.ones(2)}, 0.5, True),
        weights_digest({**weights, "a": np.arange(6.0).reshape(2, 3)}, 0.5, True),
        weights_digest({**weights, "a": np.arange(6.0, dtype=np.float32)}, 0.5, True),
        weights_digest({**weights, "b": np.array([1.0, 2.0])}, 0.5, True),
    ]
    assert len({base, *others}) == 7
