"""Folders are one training's, and one process's at a time."""

from __future__ import annotations

import resource
import threading
from pathlib import Path

import pytest

from stream.errors import UserError
from training.ablation import folders
from training.ablation.folders import alone, claim, file_digest, link, measure_anew


def test_the_second_waits_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and begins when the first has ended."""
    waiting, order = threading.Event(), list[str]()

    def told(message: str, **options: object) -> None:
        assert "another process is at" in message
        waiting.set()

    def second() -> None:
        with alone(tmp_path / "run"):
            order.append("second")

    monkeypatch.setattr(folders.console, "print", told)
    other = threading.Thread(target=second)
    with alone(tmp_path / "run"):
        other.start()
        assert waiting.wait(30)
        order.append("first")
    other.join(30)
    assert order == ["first", "second"]


def test_who_does_not_wait_is_told(tmp_path: Path) -> None:
    """It can do something else meanwhile, and does not take the folder from the other."""
    with alone(tmp_path / "run") as mine:
        for _ in range(2):
            with alone(tmp_path / "run", wait=False) as second:
                assert (mine, second) == (True, False)
    with alone(tmp_path / "run", wait=False) as free:
        assert free


def test_a_lock_is_given_back_after_a_failure(tmp_path: Path) -> None:
    """A training that fails does not keep the next from its folder."""
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), alone(tmp_path / "run"):
            raise KeyboardInterrupt


def test_no_place_for_a_folder(tmp_path: Path) -> None:
    """The line names it, and the flag."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file cannot be used: .*; see --runs"), alone(
        tmp_path / "file" / "run"
    ):  # fmt: skip
        pass


@pytest.mark.parametrize("begun", ['{"owner": "b"}', "", "[1]", '{"owner": "a", "more": 1}'])
def test_a_folder_is_of_one_training(tmp_path: Path, begun: str) -> None:
    """It may be gone on with, but not by another, or where nobody knows whose it is."""
    claim(tmp_path / "run", "a")
    claim(tmp_path / "run", "a")
    (tmp_path / "run" / folders.RUN).write_text(begun)
    with pytest.raises(UserError, match="was made with another recipe"):
        claim(tmp_path / "run", "a")


def test_links_survive_a_move(tmp_path: Path) -> None:
    """They are relative, and made once."""
    (tmp_path / "runs" / "face").mkdir(parents=True)
    for _ in range(2):
        link(tmp_path / "runs" / "ablation" / "full-seed1" / "face", tmp_path / "runs" / "face")
    moved = (tmp_path / "runs").rename(tmp_path / "elsewhere")
    assert (moved / "ablation" / "full-seed1" / "face").is_dir()


def test_digests_tell_files_apart(tmp_path: Path) -> None:
    """One that is not there has none."""
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    assert file_digest(tmp_path / "nothing") == ""
    assert len({file_digest(tmp_path / name) for name in ("a", "b", "nothing")}) == 3


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux alone can")
def test_memory_is_measured_anew() -> None:
    """What a training before it held does not count for the next."""

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB

    size = 300 << 20
    taken = bytearray(size)
    taken[::4096] = b"x" * len(taken[::4096])
    high = peak()
    del taken
    assert peak() == high
    measure_anew()
    assert peak() < high - (size >> 11)
