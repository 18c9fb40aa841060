"""SHA-256 of media files, remembered: a dialogue's film holds fifty utterances but is hashed once.

The index is a text file that only grows, a JSON object a line, written with one append each, so
that several processes may share it; a line torn by a full disk costs hashing one file again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from training.clips.cache import writing
from training.progress import progress_bar

INDEX = "media.jsonl"

_Identity = tuple[str, int, int]  # path, bytes, modification time in ns


class MediaHashes:
    """Hashes of files by path, size and time of modification.

    Args:
        folder: Of the cache; made when the first hash is remembered.
    """

    def __init__(self, folder: Path) -> None:
        self._index = folder / INDEX
        self._lock = Lock()
        self._known: dict[_Identity, str] = dict(_read(self._index))

    def digest(self, path: Path) -> str:
        """SHA-256 of a file's bytes in hexadecimal.

        A file that cannot be read has a name of its own instead, which says why: when it can
        be read later, it has another digest.

        Raises:
            UserError: The index cannot be written.
        """
        try:
            identity = _identity(path)
            known = self._known.get(identity)
            if known is not None:
                return known
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, ValueError) as error:  # a name with a null character is a ValueError
            return f"unreadable: {type(error).__name__}"
        self._remember(identity, digest)
        return digest

    def digest_all(self, paths: Iterable[Path], jobs: int) -> None:
        """Hash many files in threads, with a progress bar; `digest` then knows them."""
        new = [path for path in sorted(set(paths)) if self._is_new(path)]
        if not new:
            return
        with progress_bar() as bar, ThreadPoolExecutor(jobs) as threads:
            task = bar.add_task("hashing", total=len(new), note="")
            for _ in threads.map(self.digest, new):
                bar.update(task, advance=1)

    def _is_new(self, path: Path) -> bool:
        try:
            return _identity(path) not in self._known
        except (OSError, ValueError):
            return False  # cannot be hashed at all

    def _remember(self, identity: _Identity, digest: str) -> None:
        path, size, mtime_ns = identity
        line = json.dumps({"path": path, "size": size, "mtime_ns": mtime_ns, "sha256": digest})
        with self._lock, writing(self._index.parent):
            self._index.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._index, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(file, f"{line}\n".encode())
            finally:
                os.close(file)
            self._known[identity] = digest


def _identity(path: Path) -> _Identity:
    stat = path.stat()
    return str(path.absolute()), stat.st_size, stat.st_mtime_ns


def _read(index: Path) -> Iterable[tuple[_Identity, str]]:
    """Entries of the index; lines that are none are passed over."""
    if not index.exists():
        return
    for line in index.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            identity = (str(entry["path"]), int(entry["size"]), int(entry["mtime_ns"]))
            yield identity, str(entry["sha256"])
        except (ValueError, KeyError, TypeError):
            continue
