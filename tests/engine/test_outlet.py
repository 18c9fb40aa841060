"""The one queue before a sink: what it keeps, what it loses, and what ends it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from around_engine import Memory

from engine.events import EmotionEvent
from engine.outlet import Outlet
from engine.sinks import Departure, SinkGoneError
from engine.vitals import Vitals


async def no_wait(_: float) -> None:
    """Time passes at once."""
    await asyncio.sleep(0)


def outlet(sink: Any, limit: int = 100) -> Outlet:
    """One that tries again at once."""
    return Outlet(sink, no_wait, Vitals(), limit)


def item(turn: int, *, partial: bool = False) -> EmotionEvent:
    """Something to deliver; the sinks here look at nothing else of it."""
    event = object.__new__(EmotionEvent)
    object.__setattr__(event, "turn", turn)
    object.__setattr__(event, "partial", partial)
    return event


async def deliver(to: Outlet) -> None:
    """All that waits."""
    to.close()
    await asyncio.wait_for(to.deliver(), 60)


async def test_a_sink_that_fails_is_tried_again_with_the_same_event() -> None:
    """Nothing is lost, and the order is kept."""
    memory = Memory(failures=3)
    to = outlet(memory)
    for turn in range(3):
        to.put(item(turn))
    await deliver(to)
    assert [event.turn for event in memory.events] == [0, 1, 2]
    assert to.undelivered == 0


async def test_a_library_that_exits_from_inside_a_sink_ends_nothing() -> None:
    """It counts as a failure of that sink."""

    class Exits(Memory):
        async def publish(self, event: EmotionEvent) -> None:
            if self.failures:
                self.failures -= 1
                raise SystemExit(1)
            await super().publish(event)

    memory = Exits(failures=1)
    to = outlet(memory)
    to.put(item(0))
    await deliver(to)
    assert len(memory.events) == 1


async def test_a_sink_that_nobody_reads_ends_alone(caplog: pytest.LogCaptureFixture) -> None:
    """It is told once, given nothing more, and nothing counts as lost to it."""

    class Gone(Memory):
        async def publish(self, event: EmotionEvent) -> None:
            raise SinkGoneError("nobody reads it any more")

    to = outlet(Gone())
    for turn in range(3):
        to.put(item(turn))
    await deliver(to)
    to.put(item(3))
    assert (to.gone, len(to), to.undelivered) == (True, 0, 0)
    assert caplog.text.count("nobody reads it any more") == 1


async def test_what_is_lost_is_counted_and_the_rest_is_what_matters() -> None:
    """News goes first, then the oldest events; that somebody left is kept."""
    memory = Memory()
    to = outlet(memory, limit=3)
    gone = Departure("s", "p")
    for one in (item(0, partial=True), item(1), gone, item(2), item(3)):
        to.put(one)
    assert to.undelivered == 3
    await deliver(to)
    assert [event.turn for event in memory.events] == [2, 3]
    assert memory.departures == [gone]
    assert to.undelivered == 1
