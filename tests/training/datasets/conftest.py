"""What the tests of the data sets share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def corpora() -> Path:
    """The folder with the real corpora; the test is skipped where there is none."""
    folder = os.environ.get("BEMERC_DATA")
    if not folder:
        pytest.skip("set BEMERC_DATA to the folder with the corpora of docs/data.md")
    return Path(folder)


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes one folder unreadable, for the superuser as well, who may read whatever its mode."""
    scandir = os.scandir

    def lock_folder(folder: Path) -> None:
        def refuse(path: Any = ".") -> Any:
            if os.path.abspath(path) == os.path.abspath(folder):
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr("os.scandir", refuse)

    return lock_folder
