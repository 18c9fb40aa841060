"""Files of a corpus, found in folders; one that cannot be read is said, never taken for empty.

`Path.glob` passes over what it may not read, so half a corpus could be missing in silence.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from stream.errors import UserError


def folders_below(folder: Path, depth: int) -> Iterator[Path]:
    """A folder and those below it, in the order of their names.

    Args:
        folder: Where to begin.
        depth: How many folders below it they may lie.

    Raises:
        UserError: If one of them cannot be read.
    """
    yield folder
    if depth > 0:
        for path in _entries(folder)[1]:
            yield from folders_below(path, depth - 1)


def files_in(folder: Path) -> list[Path]:
    """The files of one folder by name.

    Raises:
        UserError: If it cannot be read.
    """
    return _entries(folder)[0]


def files_below(folder: Path) -> Iterator[Path]:
    """The files of a folder and of all below it; links to folders are not followed.

    Raises:
        UserError: If one of the folders cannot be read.
    """
    files, folders = _entries(folder)
    yield from files
    for path in folders:
        if not path.is_symlink():
            yield from files_below(path)


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files and the folders in a folder, each sorted."""
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append(folder / entry.name)
                elif entry.is_file():
                    files.append(folder / entry.name)
    except OSError as error:
        raise UserError(
            f"{folder}: {error.strerror}; check its permissions, or give the corpus's own folder"
        ) from error
    return sorted(files), sorted(folders)
