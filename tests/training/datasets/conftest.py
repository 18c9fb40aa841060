"""What the tests of the data sets share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def corpora() -> Path:
    """The folder with the real corpora; the test is skipped where there is none."""
    folder = os.environ.get("BEMERC_DATA")
    if not folder:
        pytest.skip("set BEMERC_DATA to the folder with the corpora of docs/data.md")
    return Path(folder)
