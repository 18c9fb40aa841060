"""What the tests of sources with threads of their own have in common."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from device_doubles import wait_until


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    """Whatever happened, all threads end once the drivers or the network let them."""
    threads = threading.active_count()
    yield
    wait_until(lambda: threading.active_count() <= threads + 1)  # the waiting has a loop's worker
