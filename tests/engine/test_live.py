"""From a source to the sinks: order, loss, failure and stopping.

The cutter and the JSONL sink are the real ones. The voice detector is a loudness threshold
and the recogniser a rule, because what is tested is what happens around them.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from around_engine import Memory, build, loud

from engine import live
from engine.dialogue import Turn
from engine.events import EmotionEvent
from engine.giving_up import Check, go_on
from engine.model.outputs import Recognition
from engine.perception import Perception
from engine.schedule import MAX_UTTERANCES
from engine.sinks import Sink
from engine.sinks.jsonl import JsonlSink
from engine.table import TableWorker
from engine.vitals import Vitals
from engine.worker import Worker
from stream.cutter import UtteranceCutter, WorkPlan
from stream.media import SAMPLE_RATE, AudioChunk, Samples, Utterance, VideoFrame

BURST_SECONDS = 1.0
PERIOD_SECONDS = 4.0


class Bursts:
    """A source of `count` bursts of sound, with long pauses between and after them."""

    name = "bursts"
    participant = "p"
    has_audio = True
    has_video = False
    skipped_packets = restarts = 0
    trouble = ()

    def __init__(self, count: int, *, live: bool = False) -> None:
        self.live = live
        self.given = 0
        self.at_end: Callable[[], object] = lambda: None
        self._count = count
        self._stopped = False

    async def __aenter__(self) -> Self:
        """There is nothing to open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to close."""

    def stop(self) -> None:
        """End after the chunk under way."""
        self._stopped = True

    async def __aiter__(self) -> AsyncIterator[AudioChunk | VideoFrame]:
        """Chunks of a tenth of a second."""
        step = SAMPLE_RATE // 10
        for index in range(round(self._count * PERIOD_SECONDS * 10)):
            if self._stopped:
                return
            time = index / 10
            level = 0.5 if 1.0 <= time % PERIOD_SECONDS < 1.0 + BURST_SECONDS else 0.0
            self.given += 1
            yield AudioChunk(time, np.full(step, level, np.float32))
        self.at_end()


@dataclass
class Rule:
    """A recogniser that says joy, unless told to fail or to wait."""

    fails_at: set[int] = field(default_factory=set)
    gate: threading.Event | None = None
    starts: list[float] = field(default_factory=list)

    def recognize(
        self,
        utterance: Utterance,
        history: Sequence[Turn],
        perceived: object = None,
        dialogue: str = "",
        words: Callable[[], str | None] | None = None,
        check: Check = go_on,
    ) -> Recognition:
        """Joy."""
        self.starts.append(utterance.start)
        if self.gate is not None:
            assert self.gate.wait(60)
        if len(history) in self.fails_at:
            raise RuntimeError("a bad utterance")
        return Recognition({"joy": 0.75, "neutral": 0.25}, quality={"audio": 1.0})

    def settle(self, history: Sequence[Turn], dialogue: str = "") -> list[Turn]:
        """There is always room."""
        return list(history)

    def forget(self, dialogue: str) -> None:
        """Nothing is kept."""


async def no_wait(_: float) -> None:
    """Time passes at once, but others get their turn."""
    await asyncio.sleep(0)


async def run(
    source: Bursts,
    sinks: Sequence[Sink],
    rule: Rule | None = None,
    stop: asyncio.Event | None = None,
    grace_seconds: float = 60.0,
) -> live.RunSummary:
    """Run it with the real cutter."""
    return await live.run(
        source,
        UtteranceCutter(loud, participant="p"),
        Worker(rule or Rule()),
        sinks,
        build=build,
        stop=stop or asyncio.Event(),
        sleep=no_wait,
        grace_seconds=grace_seconds,
    )


async def test_each_utterance_becomes_one_event_on_every_sink(tmp_path: Path) -> None:
    """Events come in the order of speech, the same on all sinks, and the summary counts them."""
    memory = Memory()
    async with JsonlSink(tmp_path / "events.jsonl") as jsonl:
        summary = await run(Bursts(3), [memory, jsonl])
    assert [event.turn for event in memory.events] == [0, 1, 2]
    starts = [event.window.start for event in memory.events]
    assert starts == pytest.approx([1.0, 5.0, 9.0], abs=0.6)
    written = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in written] == [e.to_json() for e in memory.events]
    assert (summary.utterances, summary.failed, summary.dropped) == (3, 0, 0)
    assert summary.undelivered == {}
    assert summary.media_seconds == pytest.approx(12.0)
    assert summary.first_event_at is not None


async def test_nothing_said_is_no_event() -> None:
    """Silence ends in a summary of nothing."""
    memory = Memory()
    summary = await run(Bursts(0), [memory])
    assert memory.events == []
    assert summary.first_event_at is None


async def test_a_failing_utterance_ends_itself_only(caplog: pytest.LogCaptureFixture) -> None:
    """The others are recognised, and the failure is one line in the log."""
    memory = Memory()
    summary = await run(Bursts(3), [memory], Rule(fails_at={1}))
    assert [event.turn for event in memory.events] == [0, 2]
    assert (summary.utterances, summary.failed) == (2, 1)
    (line,) = caplog.messages
    assert line.endswith("not recognised: a bad utterance")


async def test_a_failing_sink_is_retried_alone() -> None:
    """It gets every event in the end, in order; the other sink never waits for it."""

    class Patient(Memory):
        """Fails until the other sink has everything."""

        async def publish(self, event: EmotionEvent) -> None:
            self.failures = int(len(steady.events) < 3)
            await super().publish(event)

    steady, patient = Memory(), Patient("patient")
    summary = await run(Bursts(3), [patient, steady])
    assert patient.events == steady.events
    assert summary.undelivered == {}


async def test_a_dead_sink_is_given_up_and_reported() -> None:
    """At the end there is no waiting for ever, and what was lost is counted."""
    steady, dead = Memory(), Memory("dead", failures=1_000_000_000)
    summary = await run(Bursts(2), [dead, steady], grace_seconds=0.01)
    assert len(steady.events) == 2
    assert summary.undelivered == {"dead": 2}


async def test_stopping_finishes_the_utterance_in_progress() -> None:
    """Stopped in the middle of a burst, its first half is recognised and published."""
    memory, stop, source = Memory(), asyncio.Event(), Bursts(1_000)

    class Watched(UtteranceCutter):
        """Stops the run in the middle of the second burst."""

        def push(self, item: AudioChunk | VideoFrame) -> list[Utterance]:
            if item.time >= PERIOD_SECONDS + 1.5:
                stop.set()
            return super().push(item)

    summary = await live.run(
        source,
        Watched(loud, participant="p"),
        Worker(Rule()),
        [memory],
        build=build,
        stop=stop,
    )
    assert len(memory.events) == summary.utterances == 2
    assert PERIOD_SECONDS + 1.3 < memory.events[1].window.end < PERIOD_SECONDS + 2.0


async def test_a_live_source_drops_the_oldest_waiting_utterances() -> None:
    """When recognition is too slow the newest are kept, and the next event tells the loss."""
    memory, gate = Memory(), threading.Event()
    source = Bursts(MAX_UTTERANCES + 4, live=True)
    source.at_end = gate.set
    summary = await run(source, [memory], Rule(gate=gate))
    assert summary.dropped == 3
    starts = [round(event.window.start / PERIOD_SECONDS) for event in memory.events]
    assert starts == [0, 4, 5, 6, 7]
    assert all(event.latency_ms["queue"] >= 0 for event in memory.events)
    degraded = [event.degraded for event in memory.events]
    assert degraded == [(), ("utterances dropped before this one: 3",), (), (), ()]


async def test_a_file_waits_for_recognition() -> None:
    """Read at full speed, a file is held back and nothing is lost."""
    memory, gate, source = Memory(), threading.Event(), Bursts(MAX_UTTERANCES + 8)
    running = asyncio.create_task(run(source, [memory], Rule(gate=gate)))
    seen = -1
    while source.given != seen:  # until it does not move any more
        seen = source.given
        for _ in range(200):
            await asyncio.sleep(0)
    assert seen / 10 <= (MAX_UTTERANCES + 3) * PERIOD_SECONDS
    gate.set()
    summary = await running
    assert summary.dropped == 0
    assert len(memory.events) == MAX_UTTERANCES + 8


async def test_a_source_that_breaks_ends_the_run_but_loses_nothing() -> None:
    """What was read before is recognised, also the utterance in progress."""
    memory, source = Memory(), Bursts(2)

    class Broken(UtteranceCutter):
        """Breaks in the middle of the second burst."""

        def push(self, item: AudioChunk | VideoFrame) -> list[Utterance]:
            if item.time >= PERIOD_SECONDS + 1.5:
                raise ConnectionError("unplugged")
            return super().push(item)

    cutter = Broken(loud, participant="p")
    summary = await live.run(
        source, cutter, Worker(Rule()), [memory], build=build, stop=asyncio.Event()
    )
    assert len(memory.events) == 2
    assert str(summary.failure) == "unplugged"


async def test_aborting_does_not_wait_for_the_worker() -> None:
    """A second Ctrl-C cancels the run while an utterance is being recognised."""
    gate, memory, rule = threading.Event(), Memory(), Rule()
    rule.gate = gate
    running = asyncio.create_task(run(Bursts(2), [memory], rule))
    while not rule.starts:  # noqa: ASYNC110 - another thread sets it
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    gate.set()
    assert memory.events == []


class Talk:
    """A live source of speech on a clock that the reader moves, with pictures if wanted."""

    name = "talk"
    has_audio = True
    skipped_packets = restarts = 0
    trouble = ()
    live = True

    def __init__(
        self,
        participant: str,
        speech: Sequence[tuple[float, float]],
        until: float,
        gate: Callable[[float], bool] = lambda _: True,
        level: Callable[[float], float] = lambda _: 0.5,
    ) -> None:
        self.participant = participant
        self._level = level
        self.has_video = False
        self._speech, self._until, self._gate = speech, until, gate
        self._stopped = False

    async def __aenter__(self) -> Self:
        """There is nothing to open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to close."""

    def stop(self) -> None:
        """End after the chunk under way."""
        self._stopped = True

    async def __aiter__(self) -> AsyncIterator[AudioChunk | VideoFrame]:
        """Chunks of 32 ms, each once the gate lets it through."""
        step = 512
        for index in range(round(self._until * SAMPLE_RATE / step)):
            time = index * step / SAMPLE_RATE
            while not self._gate(time) and not self._stopped:  # noqa: ASYNC110 - a thread sets it
                await asyncio.sleep(0.001)
            if self._stopped:
                return
            loud_now = any(start <= time < end for start, end in self._speech)
            yield AudioChunk(time, np.full(step, self._level(time) if loud_now else 0, np.float32))


def cutter_of(talk: Talk) -> UtteranceCutter:
    """The real one, which looks ahead."""
    return UtteranceCutter(loud, participant=talk.participant, ahead=WorkPlan(2.0, 1.0))


async def serve(
    talks: Sequence[Talk], sinks: Sequence[Sink], rule: Rule, **options: Any
) -> list[live.RunSummary]:
    """Everybody in one dialogue."""
    async with live.Engine(Worker(rule), sinks, **options) as engine:
        return await asyncio.gather(
            *(engine.attend(talk, cutter_of(talk), build=build) for talk in talks)
        )


async def test_a_long_utterance_has_partial_events_and_a_final_one() -> None:
    """Same utterance, only for sinks that want news, the final one last."""
    eager, plain, rule = Memory(takes_partials=True), Memory(), Rule()

    def recognised_up_to(time: float) -> bool:
        return time < 3.2 or len(eager.events) >= 1

    talk = Talk("ann", [(1.0, 6.0)], 8.0, recognised_up_to)
    await serve([talk], [eager, plain], rule)
    (final,) = plain.events
    assert not final.partial
    assert [event.partial for event in eager.events[:-1]] == [True] * (len(eager.events) - 1)
    assert len(eager.events) >= 2
    assert eager.events[-1] == final
    assert {event.utterance for event in eager.events} == {final.utterance}
    assert final.latency_ms["total"] >= 0


async def test_what_was_recognised_in_the_pause_is_not_recognised_again() -> None:
    """The final event is that of the speculation."""
    memory, rule = Memory(), Rule()
    talk = Talk("ann", [(1.0, 2.0)], 4.0, lambda time: time < 2.35 or len(rule.starts) > 0)
    await serve([talk], [memory], rule)
    assert len(memory.events) == 1
    assert len(rule.starts) == 1


class Loud:
    """The voice detector of a table."""

    def reset(self) -> None:
        """There is nothing to forget."""

    def __call__(self, samples: Samples) -> float:
        """Whether it is loud."""
        return loud(samples)


def sign(samples: Samples) -> Any:
    """The vector of a voice that is above zero, or below."""
    shares = np.array([(samples > 0).sum(), (samples < 0).sum()], np.float32)
    return shares / max(1.0, float(np.linalg.norm(shares)))


async def test_two_people_at_one_microphone_are_two_participants() -> None:
    """Who speaks first has an event while the other goes on; news is of the part that goes on."""
    eager, plain, rule = Memory(takes_partials=True), Memory(), Rule()
    encoder: Any = rule

    def recognised_up_to(time: float) -> bool:
        return (time < 3.2 or len(eager.events) > 0) and (time < 9.5 or len(plain.events) > 0)

    talk = Talk("p", [(1.0, 10.0)], 12.0, recognised_up_to, lambda time: 0.5 if time < 5 else -0.5)
    worker = TableWorker(
        rule, perception=Perception(encoder, None, people=True), embed=sign, new_vad=Loud
    )
    vitals = Vitals()
    async with live.Engine(worker, [eager, plain], vitals=vitals) as engine:
        summary = await engine.attend(talk, cutter_of(talk), build=build)
    first, last = plain.events
    assert (first.participant, last.participant) == ("p-1", "p-2")
    assert (first.turn, last.turn) == (0, 1)
    assert first.window.end == last.window.start == pytest.approx(5.0, abs=0.4)
    assert first.id == first.utterance < last.utterance == last.id
    assert "total" not in first.latency_ms
    assert last.latency_ms["total"] >= 0
    assert [event.utterance for event in eager.events].index(last.id) > eager.events.index(first)
    news = [event.participant for event in eager.events if event.partial]
    assert news == sorted(news)
    assert {*news} == {"p-1", "p-2"}
    assert [one.participant for one in plain.departures] == ["p-1", "p-2"]
    assert (summary.utterances, summary.failed) == (2, 0)
    assert b'bemerc_events_total{kind="final"} 2.0' in vitals.exposition()


async def test_several_participants_share_one_dialogue() -> None:
    """Speech at the same time gives an utterance to each; turns are counted together."""
    memory, rule = Memory(), Rule()
    talks = [
        Talk(name, [(1.0, 2.0 + k), (6.0, 7.0)], 9.0) for k, name in enumerate(("a", "b", "c"))
    ]
    summaries = await serve(talks, [memory], rule)
    assert [summary.utterances for summary in summaries] == [2, 2, 2]
    assert sorted(event.turn for event in memory.events) == list(range(6))
    assert {event.participant for event in memory.events} == {"a", "b", "c"}
    assert [one.participant for one in memory.departures] == ["a", "b", "c"]


async def test_who_comes_back_before_the_old_connection_ends_has_not_left() -> None:
    """Only when the last one under that name is gone the sinks are told."""
    came_back = asyncio.Event()

    class Stuck(Talk):
        """Ends when its participant is there again."""

        async def __aiter__(self) -> AsyncIterator[AudioChunk | VideoFrame]:
            async for item in super().__aiter__():
                yield item
            await came_back.wait()

    class Returned(Talk):
        """Goes on until the old connection is gone."""

        async def __aiter__(self) -> AsyncIterator[AudioChunk | VideoFrame]:
            async for item in super().__aiter__():
                yield item
            await memory.both.wait()
            came_back.set()
            await old
            assert not memory.departures

    class Both(Memory):
        """Says when each connection has had an event."""

        both = asyncio.Event()

        async def publish(self, event: EmotionEvent) -> None:
            await super().publish(event)
            if len(self.events) == 2:
                self.both.set()

    memory = Both()
    async with live.Engine(Worker(Rule()), [memory]) as engine:
        stuck, returned = Stuck("a", [(1.0, 2.0)], 3.0), Returned("a", [(1.0, 2.0)], 3.0)
        old = asyncio.create_task(engine.attend(stuck, cutter_of(stuck), build=build))
        await engine.attend(returned, cutter_of(returned), build=build)
    assert [one.participant for one in memory.departures] == ["a"]


async def test_one_who_breaks_off_disturbs_nobody() -> None:
    """The others go on; what the one had said is recognised, also half an utterance."""

    class Broken(Talk):
        """Breaks in the middle of a word."""

        async def __aiter__(self) -> AsyncIterator[AudioChunk | VideoFrame]:
            async for item in super().__aiter__():
                if item.time > 1.7:
                    raise ConnectionError("gone")
                yield item

    memory = Memory()
    talks = [Broken("a", [(1.0, 2.0)], 9.0), Talk("b", [(1.0, 2.0), (5.0, 6.0)], 9.0)]
    broken, whole = await serve(talks, [memory], Rule())
    assert (broken.utterances, whole.utterances) == (1, 2)
    assert str(broken.failure) == "gone"
    assert whole.failure is None


async def test_an_inference_that_hangs_is_given_up_and_the_next_go_on() -> None:
    """Another worker on another thread takes over."""
    gate, made, memory = threading.Event(), list[Worker](), Memory()
    hangs, works = Rule(gate=gate), Rule()
    vitals = Vitals()
    talk = Talk("a", [(1.0, 2.0), (5.0, 6.0)], 9.0, lambda time: time < 2.9 or bool(made))
    async with live.Engine(
        Worker(hangs),
        [memory],
        make_worker=lambda: made.append(Worker(works)) or made[-1],  # type: ignore[func-returns-value]
        vitals=vitals,
        hung_seconds=0.2,
        watch_seconds=0.02,
    ) as engine:
        summary = await engine.attend(talk, cutter_of(talk), build=build)
    gate.set()
    assert (len(hangs.starts), len(made)) == (1, 1)
    assert summary.utterances >= 1
    assert b'bemerc_restarts_total{part="compute"} 1.0' in vitals.exposition()
