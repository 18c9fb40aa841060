"""Signals that end a run; this process sends them to itself."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from engine.signals import ENDING, Signals

SECONDS = 10.0


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave the signals as pytest has them, who may have been told to ignore some."""
    before = {number: signal.getsignal(number) for number in ENDING}
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def send(number: int) -> None:
    """A signal, and the time to receive it."""
    os.kill(os.getpid(), number)
    for _ in range(3):
        await asyncio.sleep(0.01)


async def until_ended(said: list[str], *, running: bool, told: asyncio.Event) -> int:
    """What a run does: prepare, run until told, and give its exit code."""
    with Signals(said.append) as signals:
        try:
            if running:
                signals.running()
                await signals.told.wait()
                told.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return signals.exit_code
    raise AssertionError("it waits for ever")


@pytest.mark.parametrize("number", ENDING)
async def test_what_is_being_prepared_ends_at_once(number: int) -> None:
    """With the code that shells have for the signal, and a line that says what was missed."""
    said = list[str]()
    run = asyncio.create_task(until_ended(said, running=False, told=asyncio.Event()))
    await asyncio.sleep(0)
    await send(number)
    assert await asyncio.wait_for(run, SECONDS) == 128 + number
    assert said == ["ended before it had begun; nothing was recognised"]


@pytest.mark.parametrize("number", ENDING)
async def test_a_run_is_told_first_and_cancelled_next(number: int) -> None:
    """So that the utterance in progress is finished, unless that takes too long for somebody."""
    said, told = list[str](), asyncio.Event()
    run = asyncio.create_task(until_ended(said, running=True, told=told))
    await asyncio.sleep(0)
    await send(number)
    await asyncio.wait_for(told.wait(), SECONDS)
    assert not run.done()
    await send(signal.SIGINT)
    assert await asyncio.wait_for(run, SECONDS) == 130
    assert len(said) == 1


async def test_what_is_ignored_stays_ignored() -> None:
    """A program under `nohup` outlives its terminal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    said, told = list[str](), asyncio.Event()
    run = asyncio.create_task(until_ended(said, running=True, told=told))
    await asyncio.sleep(0)
    await send(signal.SIGHUP)
    assert not told.is_set()
    assert said == []
    run.cancel()
    await asyncio.wait_for(run, SECONDS)


def test_a_thread_that_hangs_does_not_hold_up_the_end() -> None:
    """A library that connects in a thread of the event loop may wait there for long."""
    began, hangs = threading.Event(), threading.Event()
    ended = threading.Event()

    async def connect() -> None:
        with Signals(lambda _: None):
            asyncio.get_running_loop().run_in_executor(None, _hang, began, hangs)
            while not began.is_set():  # noqa: ASYNC110 - a thread sets it
                await asyncio.sleep(0)

    def watch() -> None:
        if not ended.wait(SECONDS):  # else this test would wait for ever
            hangs.set()

    guard = threading.Thread(target=watch)
    guard.start()
    try:
        asyncio.run(connect())
        assert not hangs.is_set()
    finally:
        ended.set()
        hangs.set()
        guard.join()


def _hang(began: threading.Event, hangs: threading.Event) -> None:
    began.set()
    hangs.wait()
