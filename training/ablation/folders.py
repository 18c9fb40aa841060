"""Folders of trainings: shared by links, claimed for one training, one process at a time."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from stream.errors import UserError
from training.ablation.outcome import other_training, write_json
from training.progress import console

RUN = "run.json"
"""Identifies what a folder was begun for, before there are predictions."""


def link(place: Path, target: Path) -> None:
    """Make a folder appear in another place, by a relative symbolic link."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(place):
        place.symlink_to(os.path.relpath(target, place.parent), target_is_directory=True)


@contextlib.contextmanager
def alone(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Keep other processes from a folder meanwhile; or wait for the one that is at it.

    Args:
        folder: Need not exist.
        wait: If not, and another process is at it, False is what comes out.

    Raises:
        UserError: there can be no folder in that place.
    """
    lock = FileLock(folder.with_name(folder.name + ".lock"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        then = "waiting for it" if wait else "later"
        console.print(f"another process is at {folder}: {then}", markup=False)
        if wait:
            lock.acquire()
    except OSError as error:
        raise UserError(f"{folder.parent} cannot be used: {error.strerror}; see --runs") from error
    try:
        yield lock.is_locked
    finally:
        lock.release()


def claim(folder: Path, identity: str) -> None:
    """Refuse a folder that was begun for another training.

    Stage 2's own checkpoint knows its recipe, but not the stage 1 and the data before it.

    Raises:
        UserError: it was.
    """
    path = folder / RUN
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return write_json(path, {"owner": identity})
    except (OSError, ValueError) as error:
        raise other_training(folder) from error
    if begun != {"owner": identity}:
        raise other_training(folder)


def measure_anew() -> None:
    """Forget the training before, so that the memory that is measured is the next one's.

    On Linux the peak of the process is set back to what it holds now (proc(5), clear_refs);
    elsewhere it stays that of all trainings up to now.
    """
    gc.collect()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def digest(parts: Sequence[str]) -> str:
    """SHA-256 of some texts."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file; empty where it is not there, as before it was made."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
