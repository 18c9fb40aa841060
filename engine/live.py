"""From a source to the sinks: the only asyncio orchestration.

    source -> cutter -> waiting utterances -> worker thread -> outbox -> sink
                                                            -> outbox -> sink

One task reads the source and finds utterances (voice activity detection takes a fraction of
a millisecond, so it runs right there), one passes them to the worker thread, which owns all
heavy compute, and one per sink delivers. Everything between them is bounded.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from engine.events import EmotionEvent
from engine.sinks import Sink
from engine.sinks.connection import delays
from engine.sinks.outbox import Outbox
from engine.worker import Recognized
from stream.cutter import UtteranceCutter
from stream.media import AudioChunk, Utterance
from stream.sources.base import Source

logger = logging.getLogger(__name__)

WAITING_UTTERANCES = 4
"""Utterances that wait for the worker thread; each holds up to 64 pictures."""
OUTBOX_EVENTS = 1_000
"""Events that wait for one sink."""
GRACE_SECONDS = 10.0
"""How long a sink may take to deliver what is left when everything else has ended."""


@dataclass(frozen=True)
class RunSummary:
    """How a run went."""

    utterances: int
    """Events made."""
    failed: int
    """Utterances that could not be recognised."""
    dropped: int
    """Utterances given up because recognition was slower than a live source."""
    undelivered: Mapping[str, int]
    """Events lost, per sink that lost any."""
    media_seconds: float
    """How far the source was read."""
    wall_seconds: float
    """How long the run took."""
    first_event_at: float | None
    """What the clock showed when the first event was made."""
    failure: Exception | None = None
    """What ended the source early, if anything did."""


async def run(
    source: Source,
    cutter: UtteranceCutter,
    worker: Callable[[Utterance], Recognized],
    sinks: Sequence[Sink],
    *,
    build: Callable[[Recognized], EmotionEvent],
    stop: asyncio.Event,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    grace_seconds: float = GRACE_SECONDS,
) -> RunSummary:
    """Recognise everything in an open source and publish it to open sinks.

    Args:
        source: Read to its end, or until `stop` is set.
        cutter: Turns what the source gives into utterances.
        worker: Called for one utterance after the other, in its own thread.
        sinks: Each gets every event, in order; one that fails is tried again alone.
        build: Makes the event.
        stop: Ends the source; the utterance in progress is still finished and published.
        clock: Seconds, never going back.
        sleep: Waits before a sink is tried again.
        grace_seconds: See `GRACE_SECONDS`.
    """
    began = clock()
    line = _Line(source, cutter, worker, build, clock)
    outlets = [_Outlet(sink, sleep) for sink in sinks]
    try:
        async with asyncio.TaskGroup() as tasks:
            stopping = tasks.create_task(_stop_when_told(source, stop))
            deliveries = [tasks.create_task(outlet.deliver()) for outlet in outlets]
            tasks.create_task(line.read())
            async for event in line.events():
                for outlet in outlets:
                    outlet.outbox.put(event)
            stopping.cancel()
            await _close(outlets, deliveries, grace_seconds)
    finally:
        # Not waiting: after a second Ctrl-C the thread may be in the middle of an utterance.
        line.executor.shutdown(wait=False, cancel_futures=True)
    return RunSummary(
        utterances=line.recognized,
        failed=line.failed,
        dropped=line.dropped,
        undelivered={o.sink.name: o.undelivered for o in outlets if o.undelivered},
        media_seconds=line.media_seconds,
        wall_seconds=clock() - began,
        first_event_at=line.first_event_at,
        failure=line.failure,
    )


async def _stop_when_told(source: Source, stop: asyncio.Event) -> None:
    await stop.wait()
    source.stop()


async def _close(
    outlets: Sequence[_Outlet], deliveries: Sequence[asyncio.Task[None]], grace_seconds: float
) -> None:
    """Let every sink deliver what is left, within the time it has for that."""
    for outlet in outlets:
        outlet.outbox.close()
    if deliveries:
        _, late = await asyncio.wait(deliveries, timeout=grace_seconds)
        for delivery in late:
            delivery.cancel()


class _Line:
    """The way from the source to events."""

    def __init__(
        self,
        source: Source,
        cutter: UtteranceCutter,
        worker: Callable[[Utterance], Recognized],
        build: Callable[[Recognized], EmotionEvent],
        clock: Callable[[], float],
    ) -> None:
        self._source, self._cutter, self._clock = source, cutter, clock
        self._worker, self._build = worker, build
        self._waiting: asyncio.Queue[tuple[float, Utterance] | None]
        self._waiting = asyncio.Queue(WAITING_UTTERANCES)
        self._dropped_since = 0
        self.executor = ThreadPoolExecutor(1, "recognizer")
        self.recognized = self.failed = self.dropped = 0
        self.media_seconds = 0.0
        self.first_event_at: float | None = None
        self.failure: Exception | None = None

    async def read(self) -> None:
        """Turn the source into waiting utterances; its failure ends it, not what it gave."""
        try:
            async for item in self._source:
                end = item.end if isinstance(item, AudioChunk) else item.time
                self.media_seconds = max(self.media_seconds, end)
                await self._queue(self._cutter.push(item))
                await asyncio.sleep(0)  # a file at full speed would keep the loop to itself
        except Exception as error:
            self.failure = error
        await self._queue(self._cutter.flush())
        await self._waiting.put(None)

    async def _queue(self, utterances: Sequence[Utterance]) -> None:
        """A file waits until there is room; a live source cannot, so the oldest goes."""
        for utterance in utterances:
            if self._source.live and self._waiting.full():
                self._waiting.get_nowait()
                self.dropped += 1
                self._dropped_since += 1
            await self._waiting.put((self._clock(), utterance))

    async def events(self) -> AsyncIterator[EmotionEvent]:
        """The event of each utterance; one that fails is counted and passed over."""
        while (waited := await self._waiting.get()) is not None:
            since, utterance = waited
            queue_ms = 1000 * (self._clock() - since)
            try:
                event = await self._recognize(self._with_losses(utterance), queue_ms)
            except Exception as error:
                self.failed += 1
                logger.warning("utterance at %.1f s not recognised: %s", utterance.start, error)
                logger.debug("because of", exc_info=error)
                continue
            self.recognized += 1
            if self.first_event_at is None:
                self.first_event_at = self._clock()
            yield event

    async def _recognize(self, utterance: Utterance, queue_ms: float) -> EmotionEvent:
        loop = asyncio.get_running_loop()
        recognized = await loop.run_in_executor(self.executor, self._worker, utterance)
        if self._source.live:  # a file waits on purpose
            latency_ms = {"queue": queue_ms, **recognized.latency_ms}
            recognized = replace(recognized, latency_ms=latency_ms)
        return self._build(recognized)

    def _with_losses(self, utterance: Utterance) -> Utterance:
        """Say in the event that the utterances before it were dropped."""
        count, self._dropped_since = self._dropped_since, 0
        if not count:
            return utterance
        reason = f"utterances dropped before this one: {count}"
        return replace(utterance, degraded=(*utterance.degraded, reason))


class _Outlet:
    """One sink, with what waits for it."""

    def __init__(self, sink: Sink, sleep: Callable[[float], Awaitable[object]]) -> None:
        self.sink = sink
        self.outbox: Outbox[EmotionEvent] = Outbox(OUTBOX_EVENTS)
        self._sleep = sleep

    @property
    def undelivered(self) -> int:
        """Events that are lost to this sink when the run is over."""
        return len(self.outbox) + self.outbox.dropped

    async def deliver(self) -> None:
        """Publish in order until closed and empty."""
        while (event := await self.outbox.head()) is not None:
            await self._publish(event)
            self.outbox.delivered(event)

    async def _publish(self, event: EmotionEvent) -> None:
        for seconds in delays():
            try:
                await self.sink.publish(event)
                return
            except Exception as error:
                logger.warning("%s: %s; trying again in %.1f s", self.sink.name, error, seconds)
                await self._sleep(seconds)
