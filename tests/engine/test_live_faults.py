"""What goes wrong while people talk: the others go on, nothing leaks, counters tell.

Sources are live and run on a clock that the tests move; the compute thread is the real one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Self

import numpy as np
from around_engine import Memory, build, loud

from engine import live
from engine.dialogue import Turn
from engine.events import EmotionEvent
from engine.giving_up import Check, go_on
from engine.model.outputs import Recognition
from engine.schedule import MAX_PICTURES, MAX_UTTERANCES
from engine.shedding import FULL_RATE
from engine.vitals import Vitals
from engine.worker import Worker
from stream.cutter import UtteranceCutter, WorkPlan
from stream.media import SAMPLE_RATE, AudioChunk, Utterance, VideoFrame

IMAGE = np.zeros((8, 8, 3), np.uint8)
STEP = 512


class Clock:
    """As far as the furthest source."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


class Person:
    """A live source: a second of speech every three, and 30 pictures a second."""

    name = "person"
    has_audio = has_video = live = True
    skipped_packets = restarts = 0
    trouble: tuple[str, ...] = ()

    def __init__(
        self,
        clock: Clock,
        participant: str,
        seconds: float,
        *,
        filmed: Callable[[float], bool] = lambda _: True,
        shift: Callable[[float], float] = lambda time: time,
        before: Callable[[float], Any] | None = None,
    ) -> None:
        self.participant = participant
        self._clock, self._seconds = clock, seconds
        self._filmed, self._shift, self._before = filmed, shift, before

    async def __aenter__(self) -> Self:
        """There is nothing to open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to close."""

    def stop(self) -> None:
        """Not used here."""

    async def __aiter__(self) -> AsyncIterator[AudioChunk | VideoFrame]:
        """As fast as they are taken."""
        shown = 0
        for index in range(round(self._seconds * SAMPLE_RATE / STEP)):
            now = index * STEP / SAMPLE_RATE
            self._clock.now = max(self._clock.now, now)
            if self._before is not None:
                await self._before(now)
            level = 0.5 if now % 3 >= 2 else 0.0
            yield AudioChunk(self._shift(now), np.full(STEP, level, np.float32))
            while shown / 30 <= now:
                if self._filmed(now):
                    yield VideoFrame(self._shift(shown / 30), IMAGE)
                shown += 1


class Joy:
    """A recogniser that says joy."""

    def recognize(
        self,
        utterance: Utterance,
        history: Sequence[Turn],
        perceived: Any = None,
        dialogue: str = "",
        words: Callable[[], str | None] | None = None,
        check: Check = go_on,
    ) -> Recognition:
        """Joy, from as many pictures as were looked at."""
        return Recognition({"joy": 1.0}, quality={"audio": 1.0}, pictures=len(perceived))

    def settle(self, history: Sequence[Turn], dialogue: str = "") -> list[Turn]:
        """Keep a little."""
        return list(history[-4:])

    def forget(self, dialogue: str) -> None:
        """Nothing is kept."""


class Eyes:
    """A perception that takes its time for every batch of pictures, and fails if told to."""

    def __init__(self, seconds: float = 0.0, fails: Callable[[float], bool] = lambda _: False):
        self._seconds, self._fails = seconds, fails
        self.seen: dict[str, list[float]] = {}

    def see(self, pictures: Sequence[tuple[str, VideoFrame]]) -> None:
        """Note them."""
        time.sleep(self._seconds)
        for key, frame in pictures:
            if self._fails(frame.time):
                raise RuntimeError("a bad picture")
            self.seen.setdefault(key, []).append(frame.time)

    def hear(self, *_: object) -> None:
        """Nothing."""

    def perceived(self, key: str, utterance: Utterance, face: int | None) -> list[float]:
        """The pictures of the utterance."""
        seen = self.seen.get(key, [])
        return [one for one in seen if utterance.start <= one < utterance.end]

    def behaviour(self, *_: object, **__: object) -> None:
        """None."""

    def forget(self, key: str) -> None:
        """Forget them."""
        self.seen.pop(key, None)


async def attend(
    people: Sequence[Person], eyes: Eyes, clock: Clock, vitals: Vitals, memory: Memory
) -> list[live.RunSummary]:
    """Everybody, to the end."""
    senses: Any = eyes
    worker = Worker(Joy(), perception=senses)
    async with live.Engine(worker, [memory], vitals=vitals, clock=clock) as engine:
        return await asyncio.gather(
            *(
                engine.attend(
                    person,
                    UtteranceCutter(
                        loud,
                        participant=person.participant,
                        ahead=WorkPlan(2.0, 1.0),
                        video_lag_seconds=0.3,
                    ),
                    build=build,
                )
                for person in people
            )
        )


def counted(vitals: Vitals, metric: str, label: str) -> float:
    """A counter of the exposition."""
    lines = vitals.exposition().decode().splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(metric) and label in line
    )


async def test_ten_times_overload_for_a_minute() -> None:
    """Fewer pictures are asked for; every utterance is recognised, or counted as dropped."""
    clock, memory = Clock(), Memory()
    vitals = Vitals(clock)
    eyes = Eyes(0.01)  # a hundred batches a second, of media that comes far faster than that
    people = [Person(clock, name, 60.0) for name in ("a", "b", "c")]
    before = threading.enumerate()
    summaries = await attend(people, eyes, clock, vitals, memory)
    assert [one.failure for one in summaries] == [None] * 3
    assert [one.utterances + one.dropped for one in summaries] == [20] * 3
    reasons = [reason for event in memory.events for reason in event.degraded]
    assert any("fewer pictures looked at" in reason for reason in reasons)
    dropped = sum(one.dropped for one in summaries)
    assert counted(vitals, "bemerc_dropped_total", "utterances") == dropped
    lost = sum(event.window.frames_dropped for event in memory.events)
    assert lost <= counted(vitals, "bemerc_dropped_total", "frames")
    assert eyes.seen == {}
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert "compute" not in left


def rate_told(event: EmotionEvent) -> float:
    """Pictures a second, by what an event says."""
    told = [reason.split()[-3] for reason in event.degraded if reason.startswith("fewer pictures")]
    return float(told[0]) if told else FULL_RATE


async def test_after_overload_it_recovers() -> None:
    """Once there is time again, more pictures are asked for again."""
    clock, memory = Clock(), Memory()
    vitals = Vitals(clock)
    eyes = Eyes(0.01)

    async def breathe(now: float) -> None:
        if now > 15.0:  # from here on the source waits for the compute
            eyes._seconds = 0.0
            while counted(vitals, "bemerc_queue_depth", "frames") > 2:
                clock.now += 0.01
                await asyncio.sleep(0.001)

    (summary,) = await attend(
        [Person(clock, "a", 60.0, before=breathe)], eyes, clock, vitals, memory
    )
    assert summary.utterances + summary.dropped == 20
    rates = [rate_told(event) for event in memory.events]
    assert min(rates) <= FULL_RATE / 2
    assert rates[-1] > min(rates)
    assert counted(vitals, "bemerc_dropped_total", "utterances") == summary.dropped


async def test_sound_goes_on_without_pictures_and_they_come_back() -> None:
    """A camera that stops for half a minute costs its pictures alone."""
    clock, memory = Clock(), Memory()
    person = Person(clock, "a", 60.0, filmed=lambda now: not 15 <= now < 45)
    (summary,) = await attend([person], Eyes(), clock, Vitals(clock), memory)
    assert summary.utterances == 20
    frames = {round(event.window.start / 3): event.window.frames for event in memory.events}
    assert all(frames[number] > 0 for number in (1, 2, 3, 17, 18, 19))
    assert all(frames[number] == 0 for number in range(7, 14))


async def test_a_clock_that_jumps() -> None:
    """Forwards by an hour: the utterance before the hole ends, the ones after it come."""
    clock, memory = Clock(), Memory()
    person = Person(clock, "a", 30.0, shift=lambda now: now + 3600 * (now >= 14.5))
    (summary,) = await attend([person], Eyes(), clock, Vitals(clock), memory)
    assert summary.failure is None
    starts = sorted(event.window.start for event in memory.events)
    assert any(start < 15 for start in starts)
    assert sum(start > 3600 for start in starts) >= 5


async def test_bad_pictures_cost_themselves_alone() -> None:
    """Those that cannot be looked at are counted; the words and the rest are there."""
    clock, memory = Clock(), Memory()
    vitals = Vitals(clock)
    eyes = Eyes(fails=lambda time: 5 <= time < 6)
    (summary,) = await attend([Person(clock, "a", 15.0)], eyes, clock, vitals, memory)
    assert summary.utterances + summary.failed == 5
    assert summary.utterances >= 4
    assert counted(vitals, "bemerc_failures_total", "frame") + summary.failed > 0


async def test_who_leaves_in_mid_utterance_is_heard_to_the_end() -> None:
    """Half an utterance is recognised; the one who stays is not disturbed."""
    clock, memory = Clock(), Memory()
    people = [Person(clock, "a", 5.5), Person(clock, "b", 30.0)]
    left, stayed = await attend(people, Eyes(), clock, Vitals(clock), memory)
    assert (left.utterances, stayed.utterances) == (2, 10)
    last = [event for event in memory.events if event.participant == "a"][-1]
    assert last.window.end < 5.6


def test_bounds_are_those_of_the_documents() -> None:
    """docs/architecture.md tells them."""
    assert (MAX_PICTURES, MAX_UTTERANCES) == (24, 4)
