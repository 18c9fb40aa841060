"""Blocking work that nothing waits for in the end."""

from __future__ import annotations

import asyncio
import threading

import pytest

from engine.daemon_thread import in_daemon_thread


async def test_results_and_failures_arrive() -> None:
    """Also an exit that a library tries."""
    assert await in_daemon_thread(lambda: 3) == 3

    def fails() -> None:
        raise KeyError("a")

    def exits() -> None:
        raise SystemExit(4)

    with pytest.raises(KeyError):
        await in_daemon_thread(fails)
    with pytest.raises(RuntimeError, match="SystemExit"):
        await in_daemon_thread(exits)


async def test_who_is_cancelled_does_not_wait() -> None:
    """And what comes of it later disturbs nobody."""
    gate, ended = threading.Event(), threading.Event()

    def work() -> None:
        assert gate.wait(60)
        ended.set()

    waiting = asyncio.create_task(in_daemon_thread(work))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    await asyncio.to_thread(ended.wait, 60)
    await asyncio.sleep(0.01)
