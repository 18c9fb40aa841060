"""Whole lives of a run in which the compute hangs, and of people who come, listen and leave.

The engine, the compute thread and the watchdog are the real ones, on a clock that the tests move;
what hangs, hangs on an event that the test sets.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Self

import numpy as np
import pytest
from around_engine import Memory, build, loud

from engine import live
from engine.compute import Compute, Outcome
from engine.dialogue import Turn
from engine.model.outputs import Recognition
from engine.schedule import Leave
from engine.vitals import Vitals
from engine.worker import Place, Worker
from stream.cutter import UtteranceCutter, WorkPlan
from stream.errors import UserError
from stream.media import SAMPLE_RATE, AudioChunk, Utterance, VideoFrame

HUNG = 30.0
PATIENCE = 10.0
"""Real seconds that anything here may take at most."""


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


class Rule:
    """A recogniser that says joy; it hangs where a gate is shut."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.gate = gate
        self.begun, self.forgotten = threading.Event(), list[str]()
        self.histories: list[int] = []

    def recognize(
        self, utterance: Utterance, history: Sequence[Turn], *_: Any, **__: Any
    ) -> Recognition:
        """Joy, at some time."""
        self.begun.set()
        if self.gate is not None:
            assert self.gate.wait(PATIENCE)
        self.histories.append(len(history))
        return Recognition({"joy": 1.0}, quality={"audio": 1.0})

    def settle(self, history: Sequence[Turn], dialogue: str = "") -> list[Turn]:
        """There is always room."""
        return list(history)

    def forget(self, dialogue: str) -> None:
        """Note it."""
        self.forgotten.append(dialogue)


class Room:
    """A live source that says what a test tells it to say, until it is told to leave."""

    name = "room"
    has_audio = live = True
    has_video = False
    skipped_packets = restarts = 0
    trouble: tuple[str, ...] = ()

    def __init__(self, participant: str, *, live: bool = True) -> None:
        self.participant, self.live = participant, live
        self._items: asyncio.Queue[AudioChunk | VideoFrame | None] = asyncio.Queue()
        self._now = 0.0

    def say(self, *, seen: bool = False) -> None:
        """A second of speech, of which there may be a picture, and silence that ends it."""
        for level in (0.0, 0.5, 0.0, 0.0):
            if seen and level:
                picture = VideoFrame(self._now + 0.5, np.zeros((1, 1, 3), np.uint8))
                self._items.put_nowait(picture)
            self._items.put_nowait(AudioChunk(self._now, np.full(SAMPLE_RATE, level, np.float32)))
            self._now += 1.0

    def stop(self) -> None:
        """End."""
        self._items.put_nowait(None)

    async def __aenter__(self) -> Self:
        """There is nothing to open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to close."""

    async def __aiter__(self) -> AsyncIterator[AudioChunk | VideoFrame]:
        """As it is said."""
        while (item := await self._items.get()) is not None:
            yield item


class Run:
    """An engine with people in one dialogue."""

    def __init__(
        self, worker: Worker, make_worker: Callable[[], Worker] | None, memory: Memory
    ) -> None:
        self.clock, self.memory = Clock(), memory
        self.vitals = Vitals(self.clock)
        self.engine = live.Engine(
            worker,
            [memory],
            make_worker=make_worker,
            vitals=self.vitals,
            clock=self.clock,
            hung_seconds=HUNG,
            watch_seconds=0.002,
        )
        self.parts: dict[str, asyncio.Task[live.RunSummary]] = {}

    async def __aenter__(self) -> Run:
        await self.engine.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.__aexit__(None, None, None)

    def join(self, room: Room) -> Room:
        """Somebody takes part."""
        ahead = WorkPlan(1.0, 0.5) if room.has_video else None
        cutter = UtteranceCutter(loud, participant=room.participant, ahead=ahead)
        part = self.engine.attend(room, cutter, build=build, dialogue="d")
        self.parts[room.participant] = asyncio.create_task(part)
        return room

    async def leave(self, room: Room) -> live.RunSummary:
        """They leave; returns how their part went."""
        room.stop()
        async with asyncio.timeout(PATIENCE):
            return await self.parts[room.participant]

    async def events(self, count: int) -> None:
        """Wait until so many events have come."""
        await until(lambda: len(self.memory.events) >= count)

    def counted(self, line: str) -> float:
        """A value of the metrics."""
        (found,) = (one for one in self.vitals.exposition().decode().splitlines() if line in one)
        return float(found.rsplit(" ", 1)[1])

    @property
    def restarts(self) -> float:
        """How often the compute was started again."""
        return self.counted('bemerc_restarts_total{part="compute"}')

    async def look(self, times: int = 5) -> None:
        """Let the watcher look that often."""
        checked = list[None]()
        check = self.engine._check_compute
        self.engine._check_compute = lambda: (check(), checked.append(None))[0]  # type: ignore[method-assign, func-returns-value]
        await until(lambda: len(checked) >= times)
        self.engine._check_compute = check  # type: ignore[method-assign]


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens soon."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.002)


@pytest.fixture
def gate() -> Any:
    """Shut; opened in the end, so that no thread stays."""
    shut = threading.Event()
    yield shut
    shut.set()


async def test_after_a_hang_one_worker_goes_on_however_long_nothing_happens(
    gate: threading.Event,
) -> None:
    """It is started again once; the dialogue goes on where it was; an idle hour changes nothing."""
    hangs, well, made = Rule(gate), Rule(), list[Worker]()

    def make() -> Worker:
        made.append(Worker(well))
        return made[-1]

    async with Run(Worker(hangs), make, Memory()) as run:
        anna = run.join(Room("anna"))
        gate.set()
        anna.say()
        await run.events(1)
        gate.clear()
        anna.say()
        await until(lambda: len(hangs.histories) == 1 and run.engine._compute.in_progress)
        run.clock.now += HUNG + 1
        await until(lambda: run.restarts == 1)
        for _ in range(20):
            run.clock.now += 180.0
            await run.look()
        assert (len(made), run.restarts) == (1, 1)
        assert not [one for one in run.vitals.problems() if "given up" in one]
        anna.say()
        await run.events(2)
        summary = await run.leave(anna)
    assert (summary.utterances, summary.failed) == (2, 1)
    assert [event.turn for event in run.memory.events] == [0, 1]
    assert well.histories == [1]


async def test_a_worker_that_cannot_be_made_is_tried_again(gate: threading.Event) -> None:
    """Where memory is short just then; it is counted, and the watcher goes on."""
    tries = list[None]()

    def make() -> Worker:
        tries.append(None)
        if len(tries) == 1:
            raise MemoryError
        return Worker(Rule())

    hangs = Rule(gate)
    async with Run(Worker(hangs), make, Memory()) as run:
        anna = run.join(Room("anna"))
        anna.say()
        await until(hangs.begun.is_set)
        run.clock.now += HUNG + 1
        await until(lambda: run.counted('bemerc_failures_total{what="compute"}') == 1)
        run.clock.now += HUNG + 1
        await until(lambda: run.restarts == 1)
        anna.say()
        await run.events(1)
        await run.leave(anna)
    assert len(tries) == 2


async def test_what_ends_while_another_worker_is_made_is_not_failed(gate: threading.Event) -> None:
    """Nor is what is done by then: the new worker is let go."""
    loading, loaded = threading.Event(), threading.Event()
    spare = Worker(Rule(), lambda *_: "words")

    def make() -> Worker:
        loading.set()
        assert loaded.wait(PATIENCE)
        return spare

    hangs = Rule(gate)
    async with Run(Worker(hangs), make, Memory()) as run:
        anna = run.join(Room("anna"))
        anna.say()
        await until(hangs.begun.is_set)
        run.clock.now += HUNG + 1
        await until(loading.is_set)
        gate.set()
        await run.events(1)
        gate.clear()
        hangs.begun.clear()
        anna.say()
        await until(hangs.begun.is_set)
        loaded.set()
        assert run.engine._restarting is not None
        await run.engine._restarting
        gate.set()
        await run.events(2)
        summary = await run.leave(anna)
    assert (summary.utterances, summary.failed, run.restarts) == (2, 0, 0)
    with pytest.raises(RuntimeError, match="shutdown"):
        spare.listen(Utterance("u", "anna", 0.0, 1.0))


async def test_making_room_in_a_dialogue_is_watched_too(gate: threading.Event) -> None:
    """A hang after the event is out is a hang; nothing is failed for it."""
    settling = threading.Event()

    class Unsettled(Rule):
        """Hangs between two utterances."""

        def settle(self, history: Sequence[Turn], dialogue: str = "") -> list[Turn]:
            settling.set()
            assert gate.wait(PATIENCE)
            return list(history)

    async with Run(Worker(Unsettled()), lambda: Worker(Rule()), Memory()) as run:
        anna = run.join(Room("anna"))
        anna.say()
        await until(settling.is_set)
        run.clock.now += HUNG + 1
        await until(lambda: run.restarts == 1)
        anna.say()
        await run.events(2)
        summary = await run.leave(anna)
    assert (summary.utterances, summary.failed) == (2, 0)
    assert [event.turn for event in run.memory.events] == [0, 1]


async def test_who_listens_keeps_the_dialogue() -> None:
    """Anna says three turns and drops out; Ben, who only listened, says the fourth."""
    rule = Rule()
    async with Run(Worker(rule), None, Memory()) as run:
        anna, ben = run.join(Room("anna")), run.join(Room("ben"))
        for count in range(1, 4):
            anna.say()
            await run.events(count)
        await run.leave(anna)
        assert rule.forgotten == []
        ben.say()
        await run.events(4)
        anna = run.join(Room("anna"))
        anna.say()
        await run.events(5)
        await run.leave(ben)
        await run.leave(anna)
    assert [event.turn for event in run.memory.events] == [0, 1, 2, 3, 4]
    assert rule.histories == [0, 1, 2, 3, 4]
    assert rule.forgotten == ["d"]


async def test_who_leaves_is_let_go_though_others_never_stop_talking() -> None:
    """Their label is taken back at once, and the three others lose nothing."""
    async with Run(Worker(Rule()), None, Memory()) as run:
        rooms = [run.join(Room(name)) for name in ("anna", "ben", "carla", "dora")]
        rooms[0].say()
        await run.events(1)
        stop = asyncio.Event()

        async def talk(room: Room) -> None:
            while not stop.is_set():
                room.say()
                await asyncio.sleep(0)

        others = [asyncio.create_task(talk(room)) for room in rooms[1:]]
        await run.leave(rooms[0])
        await until(lambda: run.memory.departures)
        stop.set()
        await asyncio.gather(*others)
        summaries = [await run.leave(room) for room in rooms[1:]]
    assert next(one.participant for one in run.memory.departures) == "anna"
    assert all(one.failed == 0 for one in summaries)
    assert not run.engine._seats
    assert not run.engine._compute._places
    assert not run.engine._compute._schedule._seats


async def test_a_leave_that_hangs_lets_go_all_the_same(gate: threading.Event) -> None:
    """The next worker knows nothing of them."""
    leaving = threading.Event()

    class Clinging(Worker):
        """Hangs when somebody leaves."""

        def leave(self, place: Place) -> None:
            leaving.set()
            assert gate.wait(PATIENCE)

    well = Worker(Rule())
    async with Run(Clinging(Rule()), lambda: well, Memory()) as run:
        anna = run.join(Room("anna"))
        anna.say()
        await run.events(1)
        anna.stop()
        await until(leaving.is_set)
        run.clock.now += HUNG + 1
        await run.leave(anna)
        assert not run.engine._compute._places
    assert not well._dialogues


@pytest.mark.parametrize("is_live", [True, False])
async def test_a_run_whose_compute_was_given_up_ends_when_it_is_told_to(
    is_live: bool, gate: threading.Event
) -> None:
    """It says what is lost, also for a file that waits for room; the label is taken back."""
    hangs = Rule(gate)
    async with Run(Worker(hangs), None, Memory()) as run:
        anna = run.join(Room("anna", live=is_live))
        gate.set()
        anna.say()
        await run.events(1)
        gate.clear()
        hangs.begun.clear()
        for _ in range(2 if is_live else 12):
            anna.say()
        await until(hangs.begun.is_set)
        run.clock.now += HUNG + 1
        await until(lambda: "given up: compute" in run.vitals.problems())
        summary = await run.leave(anna)
        assert isinstance(summary.failure, UserError)
        assert summary.failed >= 2
        await until(lambda: run.memory.departures)
        gate.set()
        await until(lambda: run.engine._compute.in_progress is None)
        await until(lambda: "given up: compute" not in run.vitals.problems())
    assert summary.utterances == 1


async def test_a_library_that_exits_costs_one_utterance() -> None:
    """SystemExit in the compute thread would end it, and nobody would know."""

    class Exits(Rule):
        """Tries to end the program once."""

        def recognize(self, *arguments: Any, **named: Any) -> Recognition:
            if not self.begun.is_set():
                self.begun.set()
                raise SystemExit(3)
            return super().recognize(*arguments, **named)

    async with Run(Worker(Exits()), None, Memory()) as run:
        anna = run.join(Room("anna"))
        anna.say()
        anna.say()
        await run.events(1)
        summary = await run.leave(anna)
    assert (summary.utterances, summary.failed) == (1, 1)


async def test_ten_thousand_utterances_and_people_leave_nothing_behind() -> None:
    """What is kept by participant or utterance is as much at the end as at the start."""
    outcomes = list[Outcome]()
    worker = Worker(Rule())
    clock = Clock()
    compute = Compute(worker, outcomes.append, clock)
    for number in range(10_000):
        key = f"{number}/d/p"
        compute.join(Place(key, f"dialogue {number % 7}"), lossless=True)
        compute.put(key, Utterance(f"u{number}", "p", 0.0, 1.0))
        compute.leave(key)
        if number % 500 == 499:
            await until(lambda n=number: len(outcomes) == 2 * (n + 1))  # type: ignore[misc]
    compute.close()
    assert sum(isinstance(one.job, Leave) for one in outcomes) == 10_000
    assert not [one for one in outcomes if one.error]
    kept = (compute._places, compute._tried, compute._schedule._seats, worker._dialogues)
    assert [len(one) for one in kept] == [0, 0, 0, 0]


async def test_when_dropped_utterances_ended_is_forgotten() -> None:
    """Under lasting overload, which utterance was spoken when does not pile up."""
    seat = live._Seat("k", Room("a"), UtteranceCutter(loud, participant="a"), build)
    for number in range(1000):
        seat.spoken_at[f"u{number}"] = float(number)
        if number % 10 == 9:
            assert seat.take_spoken_at(f"u{number}") == number
            assert not seat.spoken_at
    assert seat.take_spoken_at("unknown") is None


async def test_a_worker_that_comes_after_the_giving_up_is_recovery(gate: threading.Event) -> None:
    """Loading it took longer than all the patience there was; then everything is well again."""
    loading, loaded = threading.Event(), threading.Event()

    def make() -> Worker:
        loading.set()
        assert loaded.wait(PATIENCE)
        return Worker(Rule())

    hangs = Rule(gate)
    async with Run(Worker(hangs), make, Memory()) as run:
        anna = run.join(Room("anna"))
        anna.say()
        await until(hangs.begun.is_set)
        for _ in range(live.MAX_RESTARTS + 1):
            run.clock.now += HUNG + 1
            await run.look()
        assert loading.is_set()
        assert "given up: compute" in run.vitals.problems()
        loaded.set()
        await until(lambda: run.restarts == 1)
        await until(lambda: "given up: compute" not in run.vitals.problems())
        anna.say()
        await run.events(1)
        summary = await run.leave(anna)
    assert (summary.failure, summary.utterances, summary.failed) == (None, 1, 1)


async def test_who_was_abandoned_is_let_go_when_the_compute_recovers(
    gate: threading.Event,
) -> None:
    """What was kept of them, and of a dialogue that nobody is in, is freed after all."""
    hangs = Rule(gate)
    worker = Worker(hangs)
    async with Run(worker, None, Memory()) as run:
        anna = run.join(Room("anna"))
        anna.say()
        anna.say()
        await until(hangs.begun.is_set)
        run.clock.now += HUNG + 1
        await until(lambda: "given up: compute" in run.vitals.problems())
        summary = await run.leave(anna)
        assert (summary.utterances, summary.failed) == (0, 2)
        gate.set()
        await until(lambda: hangs.forgotten == ["d"])
        compute = run.engine._compute
        kept = worker._dialogues, compute._places, compute._schedule._seats
        assert [len(one) for one in kept] == [0, 0, 0]


@pytest.mark.parametrize("where", ["settle", "take"])
async def test_a_compute_thread_that_breaks_off_is_not_dead_in_silence(
    where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A library that exits between two utterances costs nothing; a thread that ends is replaced."""

    class Exits(Rule):
        """Tries to end the program between two utterances."""

        def settle(self, history: Sequence[Turn], dialogue: str = "") -> list[Turn]:
            if where == "settle":
                raise SystemExit(3)
            return list(history)

    async with Run(Worker(Exits()), lambda: Worker(Rule()), Memory()) as run:
        anna = run.join(Room("anna"))
        anna.say()
        await run.events(1)
        schedule = run.engine._compute._schedule
        take, broken = schedule.take, list[None]()

        def short_of_memory(now: float) -> Any:
            if where == "take" and not broken:
                broken.append(None)
                raise MemoryError
            return take(now)

        monkeypatch.setattr(schedule, "take", short_of_memory)
        if where == "take":
            await until(lambda: "broke off" in caplog.text)
            run.clock.now += HUNG + 1
            await until(lambda: run.restarts == 1)
        anna.say()
        await run.events(2)
        summary = await run.leave(anna)
    assert (summary.utterances, summary.failed) == (2, 0)
    assert run.restarts == (where == "take")


async def test_a_thread_that_cannot_be_started_is_tried_again(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The utterance that hung has failed once, and the next verdict has a thread."""
    hangs, tries = Rule(gate), list[None]()
    async with Run(Worker(hangs), lambda: Worker(Rule()), Memory()) as run:
        anna = run.join(Room("anna"))
        anna.say()
        await until(hangs.begun.is_set)
        start = threading.Thread.start

        def refuse_first(thread: threading.Thread) -> None:
            if thread.name == "compute":
                tries.append(None)
                if len(tries) == 1:
                    raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", refuse_first)
        run.clock.now += HUNG + 1
        await until(lambda: run.counted('bemerc_failures_total{what="compute"}') == 1)
        run.clock.now += HUNG + 1
        await until(lambda: run.restarts == 1)
        anna.say()
        await run.events(1)
        summary = await run.leave(anna)
    assert (summary.utterances, summary.failed, len(tries)) == (1, 1, 2)


async def test_transcription_that_hangs_is_seen(gate: threading.Event) -> None:
    """Words have a thread of their own; an utterance that waits for them hangs with it."""
    hearing = threading.Event()

    class Reads(Rule):
        """Asks for the words."""

        def recognize(self, *arguments: Any, **named: Any) -> Recognition:
            arguments[4]()
            return super().recognize(*arguments, **named)

    def transcribe(*_: Any) -> str:
        hearing.set()
        assert gate.wait(PATIENCE)
        return "words"

    old = Worker(Reads(), transcribe)
    async with Run(old, lambda: Worker(Reads(), lambda *_: "words"), Memory()) as run:
        anna = run.join(Room("anna"))
        anna.say()
        await until(hearing.is_set)
        await until(lambda: run.engine._compute.in_progress)
        run.clock.now += HUNG + 1
        await until(lambda: run.restarts == 1)
        anna.say()
        await run.events(1)
        summary = await run.leave(anna)
        assert (summary.utterances, summary.failed) == (1, 1)
    with pytest.raises(RuntimeError, match="shutdown"):
        old.listen(Utterance("u", "anna", 0.0, 1.0))


async def test_pictures_that_cannot_be_looked_at_cost_no_utterance() -> None:
    """Without its face an utterance still has a voice, and says why it is worse."""

    class Blind(Worker):
        """Cannot see."""

        def see(self, pictures: Sequence[tuple[str, VideoFrame]]) -> None:
            raise ValueError("no such picture")

    async with Run(Blind(Rule()), None, Memory()) as run:
        anna = Room("anna", live=False)
        anna.has_video = True
        run.join(anna).say(seen=True)
        await run.events(1)
        summary = await run.leave(anna)
    assert (summary.utterances, summary.failed) == (1, 0)
    assert "pictures not looked at" in run.memory.events[0].degraded
    assert run.vitals.failures() == {"frame": 1}


async def test_a_departure_that_fails_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who leaves is let go, though telling of it broke."""
    async with Run(Worker(Rule()), None, Memory()) as run:
        anna = run.join(Room("anna"))
        anna.say()
        await run.events(1)
        loop, told = asyncio.get_running_loop(), list[Any]()
        loop.set_exception_handler(lambda _, context: told.append(context["exception"]))

        def fail(_: object) -> None:
            raise MemoryError

        monkeypatch.setattr(run.engine, "_left", fail)
        summary = await run.leave(anna)
        loop.set_exception_handler(None)
    assert summary.utterances == 1
    assert isinstance(told[0], MemoryError)


async def test_words_that_cannot_be_begun_end_nobody() -> None:
    """Where no thread can be started for them just then, the utterance comes all the same."""

    class Deaf(Worker):
        """Begins no words ahead."""

        def listen(self, utterance: Utterance) -> None:
            raise RuntimeError("can't start new thread")

    async with Run(Deaf(Rule()), None, Memory()) as run:
        anna = run.join(Room("anna"))
        anna.say()
        anna.say()
        await run.events(2)
        summary = await run.leave(anna)
    assert (summary.failure, summary.utterances) == (None, 2)


async def test_a_run_that_was_given_up_ends_at_once(gate: threading.Event) -> None:
    """One signal is enough: nobody waits for a thread that will not end."""
    hangs = Rule(gate)
    run = Run(Worker(hangs), None, Memory())
    async with run:
        anna = run.join(Room("anna"))
        anna.say()
        await until(hangs.begun.is_set)
        run.clock.now += HUNG + 1
        await until(lambda: "given up: compute" in run.vitals.problems())
        began = time.monotonic()
        summary = await run.leave(anna)
    assert time.monotonic() - began < live.CLOSE_SECONDS / 2
    assert (summary.failed, type(summary.failure)) == (1, UserError)
