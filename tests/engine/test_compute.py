"""Words do not wait for the compute thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from engine.compute import Compute, Outcome
from engine.schedule import Look, Recognize
from engine.worker import NotWanted, Place, Worker
from stream.cutter import Resumed, SoFar
from stream.media import Utterance, VideoFrame

SECONDS = 5.0
"""Longest that anything here may take."""
PICTURE = VideoFrame(0.0, np.zeros((1, 1, 3), np.uint8))


class Busy:
    """A perception that looks at a picture until it is let go on."""

    def __init__(self) -> None:
        self.looking, self.go_on = threading.Event(), threading.Event()

    def see(self, _: object) -> None:
        """Take long."""
        self.looking.set()
        assert self.go_on.wait(SECONDS)


@contextmanager
def computing(worker: Worker, outcomes: list[Outcome]) -> Iterator[Compute]:
    """A compute thread for one participant, who shows pictures."""
    compute = Compute(worker, outcomes.append, time.monotonic)
    compute.join(Place("a", ""), lossless=True)
    yield compute
    compute.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens soon."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)


async def begins(compute: Compute) -> None:
    """Wait for a job to be in progress: words may be begun before the job that waits for them."""
    await until(lambda: compute.busy_since is not None)


def said(end: float = 1.0) -> Utterance:
    """An utterance without media."""
    return Utterance("id", "a", 0.5, end)


@pytest.mark.parametrize("item", [said(), SoFar(said(), paused=True, ends_in=0.4)])
async def test_words_are_begun_at_once(item: Utterance | SoFar) -> None:
    """Though pictures are looked at just then."""
    heard, outcomes, busy = threading.Event(), list[Outcome](), Busy()
    worker = Worker(_Neutral(), lambda *_: heard.set(), perception=busy)  # type: ignore[arg-type, func-returns-value]
    with computing(worker, outcomes) as compute:
        for _ in range(4):
            compute.put("a", PICTURE)
        assert await asyncio.to_thread(busy.looking.wait, SECONDS)
        compute.put("a", item)
        assert await asyncio.to_thread(heard.wait, SECONDS)
        assert not outcomes
        busy.go_on.set()
        await until(lambda: [type(one.job) for one in outcomes][:1] == [Look])


async def test_words_are_given_up_when_speech_goes_on() -> None:
    """In the middle; and the try that waits for them ends, too."""
    begun, ended, outcomes = threading.Event(), threading.Event(), list[Outcome]()

    def transcribe(_: Utterance, check: Callable[[], None]) -> str:
        begun.set()
        try:
            for _ in range(int(SECONDS / 0.005)):
                check()
                time.sleep(0.005)
        finally:
            ended.set()
        raise AssertionError("nobody gave it up")

    with computing(Worker(_Neutral(), transcribe), outcomes) as compute:
        compute.put("a", SoFar(said(), paused=True, ends_in=0.4))
        await begins(compute)
        assert await asyncio.to_thread(begun.wait, SECONDS)
        compute.put("a", Resumed())
        assert await asyncio.to_thread(ended.wait, SECONDS)
        await until(lambda: outcomes)
    (outcome,) = outcomes
    assert isinstance(outcome.job, Recognize)
    assert isinstance(outcome.error, NotWanted)


async def test_closing_ends_what_is_in_progress() -> None:
    """An interpreter that ends while a thread computes crashes."""
    begun, outcomes = threading.Event(), list[Outcome]()

    def transcribe(_: Utterance, check: Callable[[], None]) -> str:
        begun.set()
        return "words"

    class Long(_Neutral):
        """Takes long, and asks now and then whether it is still wanted."""

        def recognize(self, *arguments: Any) -> Any:
            arguments[4]()
            while True:
                arguments[5]()
                time.sleep(0.005)

    with computing(Worker(Long(), transcribe), outcomes) as compute:
        compute.put("a", SoFar(said(), paused=True, ends_in=0.4))
        await begins(compute)
        assert await asyncio.to_thread(begun.wait, SECONDS)
        assert not await asyncio.to_thread(compute.wait, 0.05)
    assert await asyncio.to_thread(compute.wait, SECONDS)
    await until(lambda: outcomes)
    assert isinstance(outcomes[0].error, NotWanted)


class _Neutral:
    """A recogniser that takes whatever words there are."""

    def recognize(self, *arguments: Any) -> Any:
        """Ask for the words, and whether they are still wanted."""
        arguments[4]()
        arguments[5]()

    def settle(self, history: Any, _: str = "") -> Any:
        """As it is."""
        return history

    def forget(self, _: str) -> None:
        """There is nothing."""
