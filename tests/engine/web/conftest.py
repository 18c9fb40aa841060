"""Peers that find each other on this machine, wherever the tests run."""

from __future__ import annotations

import pytest
from aioice import ice


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offer no address but 127.0.0.1, which aioice leaves out."""
    monkeypatch.setattr(ice, "get_host_addresses", lambda **_: ["127.0.0.1"])
