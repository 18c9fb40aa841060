"""Lengths of Fourier transforms."""

from __future__ import annotations

import pytest

from engine.prosody.framing import fast_length


@pytest.mark.parametrize(("least", "length"), [(1, 2), (7, 8), (854, 864), (2134, 2160)])
def test_fast_lengths(least: int, length: int) -> None:
    """Even, and of small factors."""
    assert fast_length(least) == length
