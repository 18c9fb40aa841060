"""Prepared networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.models import resolve
from stream.errors import UserError


def weights(name: str) -> Path:
    """A prepared model; the test is skipped where `make setup` has not fetched it."""
    try:
        return resolve(name, offline=True)
    except UserError as error:
        pytest.skip(str(error))
