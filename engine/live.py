"""From sources to the sinks: the only asyncio orchestration.

    source -> cutter -> what can be done ahead, ended utterances -> compute thread
                                                                         |
                                                  outbox -> sink <- event
                                                  outbox -> sink <-

Every participant has a task that reads a source and finds utterances (voice activity
detection takes a fraction of a millisecond, so it runs right there); one thread owns all
heavy compute (`engine.compute`), and one task per sink delivers. Everything between them is
bounded.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.compute import HUNG_SECONDS, NOT_LOOKED, PART, Compute, InProgress, Outcome
from engine.daemon_thread import in_daemon_thread
from engine.events import EmotionEvent
from engine.giving_up import NotWanted
from engine.outlet import Outlet
from engine.schedule import Leave, Listen, Look, Recognize
from engine.shedding import FrameRate
from engine.sinks import Departure, Sink
from engine.vitals import Vitals
from engine.worker import Place, Recognized, Worker
from stream.cutter import Resumed, SoFar, UtteranceCutter
from stream.errors import UserError
from stream.media import AudioChunk, Utterance
from stream.sources.base import MediaItem, Source
from stream.watchdog import Watchdog

logger = logging.getLogger(__name__)

GRACE_SECONDS = 10.0
"""How long a sink may take to deliver what is left when everything else has ended."""
MAX_RESTARTS = 5
"""Times that the compute is started again in ten times `HUNG_SECONDS` before it is given up."""
WATCH_SECONDS = 1.0
"""Between two looks at whether something has hung."""
CLOSE_SECONDS = 5.0
"""How long the job in progress may take to end when everything else has."""

Build = Callable[[Recognized], EmotionEvent]

_GIVEN_UP = (
    "recognition hangs and was given up; what was said last is lost: look at the warnings above, "
    "and start the program again"
)


@dataclass(frozen=True)
class RunSummary:
    """How a participant's part in a run went."""

    utterances: int
    """Events of utterances that ended."""
    failed: int
    """Utterances that could not be recognised."""
    dropped: int
    """Utterances given up because recognition was slower than a live source."""
    undelivered: Mapping[str, int]
    """Events lost, per sink that lost any."""
    media_seconds: float
    """How far the source was read."""
    wall_seconds: float
    """How long it took."""
    first_event_at: float | None
    """What the clock showed when the first event was made."""
    failure: Exception | None = None
    """What ended the source early, if anything did."""
    too_short: int = 0
    """Short sounds in which no word was heard."""


async def run(
    source: Source,
    cutter: UtteranceCutter,
    worker: Worker,
    sinks: Sequence[Sink],
    *,
    build: Build,
    stop: asyncio.Event,
    make_worker: Callable[[], Worker] | None = None,
    vitals: Vitals | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    grace_seconds: float = GRACE_SECONDS,
) -> RunSummary:
    """Recognise everything in one open source and publish it to open sinks.

    Args:
        source: Read to its end, or until `stop` is set.
        cutter: Turns what the source gives into utterances.
        worker: Has the models.
        sinks: Each gets every event, in order; one that fails is tried again alone.
        build: Makes the events.
        stop: Ends the source; the utterance in progress is still finished and published.
        make_worker: See `Engine`.
        vitals: Counts and measures.
        clock: Seconds, never going back.
        sleep: Waits before a sink is tried again.
        grace_seconds: See `GRACE_SECONDS`.
    """
    engine = Engine(
        worker,
        sinks,
        make_worker=make_worker,
        vitals=vitals,
        clock=clock,
        sleep=sleep,
        grace_seconds=grace_seconds,
    )
    async with engine:
        stopping = asyncio.create_task(_stop_when_told(source, stop))
        try:
            summary = await engine.attend(source, cutter, build=build)
        finally:
            stopping.cancel()
    return replace(summary, undelivered=engine.undelivered)


async def _stop_when_told(source: Source, stop: asyncio.Event) -> None:
    await stop.wait()
    source.stop()


class Engine:
    """Serves any number of participants, who come and go, with one compute thread.

    Args:
        worker: Has the models.
        sinks: Open; each gets every event.
        make_worker: Loads another worker, in a thread, where this one has hung; without it that
            is only reported.
        vitals: Counts and measures.
        clock: Seconds, never going back.
        sleep: Waits before a sink is tried again.
        grace_seconds: See `GRACE_SECONDS`.
        hung_seconds: See `HUNG_SECONDS`.
        watch_seconds: See `WATCH_SECONDS`.
    """

    def __init__(
        self,
        worker: Worker,
        sinks: Sequence[Sink],
        *,
        make_worker: Callable[[], Worker] | None = None,
        vitals: Vitals | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        grace_seconds: float = GRACE_SECONDS,
        hung_seconds: float = HUNG_SECONDS,
        watch_seconds: float = WATCH_SECONDS,
    ) -> None:
        self._worker, self._make_worker, self._clock = worker, make_worker, clock
        self.vitals = vitals or Vitals(clock)
        self._outlets = [Outlet(sink, sleep, self.vitals) for sink in sinks]
        self._grace_seconds = grace_seconds
        self._hung_seconds, self._watch_seconds = hung_seconds, watch_seconds
        self._watchdog = Watchdog(
            clock,
            max_restarts=MAX_RESTARTS if make_worker else 0,
            # Restarts that are five hangs apart must count as often, too.
            per_seconds=max(60.0, 10 * hung_seconds),
        )
        self._restarting: asyncio.Task[None] | None = None
        self._given_up = asyncio.Event()
        self._seats: dict[str, _Seat] = {}
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> Engine:
        """Begin to compute and to deliver."""
        self._compute = Compute(
            self._worker, self._done, self._clock, self._watchdog, self._hung_seconds
        )
        self._deliveries = [asyncio.create_task(outlet.deliver()) for outlet in self._outlets]
        self._watching = asyncio.create_task(self._watch())
        for kind in ("frames", "utterances", "partials"):
            self.vitals.queue(kind, functools.partial(self._compute.depth, kind))
        for outlet in self._outlets:
            self.vitals.queue(f"outbox:{outlet.sink.name}", outlet.__len__)
        self.vitals.participants(lambda: len(self._seats))
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Deliver what is left; after a failure, at once."""
        self._compute.close()
        watching = [task for task in (self._watching, self._restarting) if task is not None]
        for task in watching:
            task.cancel()
        for outlet in self._outlets:
            outlet.close()
        late: set[asyncio.Task[None]] = set(self._deliveries)
        if error is None and self._deliveries:
            _, late = await asyncio.wait(self._deliveries, timeout=self._grace_seconds)
        for delivery in late:
            delivery.cancel()
        await asyncio.gather(*watching, *self._deliveries, return_exceptions=True)
        if error is not None or self._given_up.is_set():
            return  # nobody waits for what will not end
        if not await asyncio.to_thread(self._compute.wait, CLOSE_SECONDS):
            logger.warning("what is being computed does not end")

    @property
    def undelivered(self) -> dict[str, int]:
        """Events lost, per sink that lost any; known when the engine is closed."""
        return {o.sink.name: o.undelivered for o in self._outlets if o.undelivered}

    async def attend(
        self, source: Source, cutter: UtteranceCutter, *, build: Build, dialogue: str = ""
    ) -> RunSummary:
        """Serve one participant to the end of an open source.

        Args:
            source: Read to its end. What breaks it ends it, not what it gave before.
            cutter: Turns what the source gives into utterances; of this participant alone.
            build: Makes the participant's events.
            dialogue: Names the dialogue that the participant takes part in.
        """
        began = self._clock()
        key = f"{next(self._numbers)}/{dialogue}/{source.participant}"
        seat = _Seat(key, source, cutter, build)
        self._seats[key] = seat
        self._compute.join(Place(key, dialogue), lossless=not source.live)
        try:
            failure = await self._read(seat)
        finally:
            self._compute.leave(key)
        if not await self._either(seat.left):
            failure = UserError(_GIVEN_UP)
            self._abandon(seat)
        return RunSummary(
            utterances=seat.recognized,
            failed=seat.failed,
            dropped=seat.dropped,
            undelivered={},
            media_seconds=seat.media_seconds,
            wall_seconds=self._clock() - began,
            first_event_at=seat.first_event_at,
            failure=failure,
            too_short=seat.too_short,
        )

    async def _read(self, seat: _Seat) -> Exception | None:
        """Read a source to its end; returns what broke it, if anything did."""
        failure: Exception | None = None
        try:
            async for item in seat.source:
                await self._take(seat, item)
        except Exception as error:
            failure = error
            self.vitals.failure("source")
        try:
            await self._queue(seat, seat.cutter.flush())
        except Exception as error:
            failure = failure or error
        return failure

    async def _either(self, event: asyncio.Event) -> bool:
        """Wait for an event, as long as it may still come; False where the compute is given up."""
        waiting = [asyncio.create_task(one.wait()) for one in (event, self._given_up)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        return event.is_set()

    def _abandon(self, seat: _Seat) -> None:
        """Let somebody go though the compute, which was given up, will never do so."""
        lost = self._compute.abandon(seat.key)
        seat.failed += lost
        for _ in range(lost):
            self.vitals.failure("utterance")
        if self._seats.pop(seat.key, None) is not None:
            self._left(seat)

    async def _take(self, seat: _Seat, item: MediaItem) -> None:
        sound = isinstance(item, AudioChunk)
        self.vitals.media(seat.source.participant, "audio" if sound else "video")
        end = item.end if isinstance(item, AudioChunk) else item.time
        seat.media_seconds = max(seat.media_seconds, end)
        await self._queue(seat, seat.cutter.push(item))
        await asyncio.sleep(0)  # a file at full speed would keep the loop to itself

    async def _queue(self, seat: _Seat, ended: Sequence[Utterance]) -> None:
        """Hand over what can be done ahead, then what has ended; a file waits for room."""
        now = self._clock()
        if seat.source.live:
            seat.cutter.frame_rate = seat.rate.update(self._compute.lag(seat.key), now)
        for work in seat.cutter.take_work():
            if isinstance(work, SoFar | Resumed):
                if not seat.source.live:
                    continue  # nobody waits for news of a file
                seat.paused = isinstance(work, SoFar) and work.paused
            await self._room(seat)
            self._compute.put(seat.key, work)
        for utterance in ended:
            seat.paused = False
            seat.spoken_at[utterance.id] = now - seat.cutter.silence_after(utterance)
            await self._room(seat)
            self._compute.put(seat.key, self._explained(seat, utterance))

    async def _room(self, seat: _Seat) -> None:
        while not seat.source.live and self._compute.is_full(seat.key):
            seat.room.clear()
            if not await self._either(seat.room):
                raise UserError(_GIVEN_UP)

    def _explained(self, seat: _Seat, utterance: Utterance) -> Utterance:
        """With the reasons why its media is worse than it could be."""
        reasons = list(seat.source.trouble)
        if seat.rate.lowered:
            reasons.append(f"fewer pictures looked at: {seat.rate.rate:.0f} a second")
        return replace(utterance, degraded=(*utterance.degraded, *reasons))

    def _done(self, outcome: Outcome) -> None:
        """A job of the compute thread is done."""
        job = outcome.job
        for what, count in self._compute.take_dropped().items():
            self.vitals.drop(what, count)
        keys = {key for key, _ in job.pictures} if isinstance(job, Look) else {job.key}
        seats = [self._seats[key] for key in keys if key in self._seats]
        for seat in seats:
            seat.room.set()
        if outcome.error is None:
            self.vitals.inference_completed()
        if isinstance(job, Recognize):
            if seats:
                self._recognized(seats[0], job, outcome)
        elif isinstance(job, Leave):
            for seat in seats:
                seat.left.set()
                del self._seats[job.key]
                self._left(seat)
        elif outcome.error is not None:
            what = "pictures" if isinstance(job, Look) else "sound"
            self.vitals.failure("frame")
            logger.warning("%s not looked at: %s", what, outcome.error)
        else:
            self.vitals.stage("audio" if isinstance(job, Listen) else "video", outcome.seconds)

    def _recognized(self, seat: _Seat, job: Recognize, outcome: Outcome) -> None:
        utterance, spoken_at = job.utterance, None
        if job.final:
            seat.dropped += job.lost_utterances
            seat.ended_id = utterance.id
            spoken_at = seat.take_spoken_at(utterance.id)
            if any(NOT_LOOKED in one.utterance.degraded for one in outcome.results):
                self.vitals.failure("frame")
        old = not job.final and (seat.ended_id == utterance.id or (job.paused and seat.paused))
        for position, recognized in enumerate(outcome.results):
            if old and not recognized.final:
                continue  # kept by the worker: it is the final result if this was all
            if recognized.final and not job.final:  # a turn that is over before the utterance
                explained = self._explained(seat, recognized.utterance)
                recognized = replace(recognized, utterance=explained)
            if position == 0:
                recognized = _with_losses(recognized, job)
            last = recognized.utterance.end == utterance.end
            self._publish(seat, job, outcome, recognized, spoken_at if last else None)
        seat.too_short += utterance.short and not outcome.results and outcome.error is None
        if isinstance(outcome.error, NotWanted):
            self.vitals.drop("speculations" if job.paused else "partials")
        elif outcome.error is not None:
            self._failed(seat, utterance, outcome.error, final=job.final)

    def _publish(
        self,
        seat: _Seat,
        job: Recognize,
        outcome: Outcome,
        recognized: Recognized,
        spoken_at: float | None,
    ) -> None:
        """Let the sinks have an event, with the times that only the engine knows."""
        latency_ms, final = dict(recognized.latency_ms), recognized.final
        if seat.source.live:  # a file waits on purpose
            latency_ms["queue"] = 1000 * max(0.0, outcome.started - job.since)
            if spoken_at is not None:
                latency_ms["total"] = 1000 * max(0.0, self._clock() - spoken_at)
        try:
            event = seat.build(replace(recognized, latency_ms=latency_ms))
        except Exception as error:
            self._failed(seat, recognized.utterance, error, final=final)
            return
        if final:
            seat.recognized += 1
            seat.first_event_at = seat.first_event_at or self._clock()
            if "total" in event.latency_ms:
                self.vitals.latency(event.latency_ms["total"] / 1000)
        for stage, milliseconds in event.latency_ms.items():
            self.vitals.stage(stage, milliseconds / 1000)
        self.vitals.event("final" if final else "partial")
        seat.known_as.add(Departure(event.source, event.participant))
        for outlet in self._outlets:
            if final or outlet.sink.takes_partials:
                outlet.put(event)

    def _left(self, seat: _Seat) -> None:
        """Tell the sinks who is gone, but for those who have come back under another key."""
        back = set[Departure]().union(*(other.known_as for other in self._seats.values()))
        for departure in sorted(seat.known_as - back):
            for outlet in self._outlets:
                outlet.put(departure)

    def _failed(self, seat: _Seat, utterance: Utterance, error: Exception, *, final: bool) -> None:
        self.vitals.failure("utterance" if final else "partial")
        seat.failed += final
        logger.warning("utterance at %.1f s not recognised: %s", utterance.start, error)
        logger.debug("because of", exc_info=error)

    async def _watch(self) -> None:
        """See to it that the compute goes on, as long as the engine runs."""
        while True:
            await asyncio.sleep(self._watch_seconds)
            try:
                self._check_compute()
            except Exception:  # what watches must not end in silence
                logger.exception("the compute could not be looked after just now")

    def _check_compute(self) -> None:
        """Restart the compute where it has hung, at most `MAX_RESTARTS` times in a while."""
        self.vitals.waiting(self._compute.waiting_since())
        for verdict in self._watchdog.check(self._clock()):
            if verdict.action == "restart":
                self._restart(verdict.silent_seconds)
            elif verdict.action == "give_up":
                logger.error("recognition has hung, and is not started again any more")
                self.vitals.gave_up(PART)
                self._given_up.set()
            else:
                logger.warning("recognition goes on after all")
                self._goes_on()

    def _goes_on(self) -> None:
        """The compute works, whether or not it was given up."""
        self.vitals.recovered(PART)
        self._given_up.clear()

    def _restart(self, silent_seconds: float) -> None:
        hung = self._compute.in_progress
        if hung is None or self._clock() - hung.began < self._hung_seconds:
            return  # it has ended since the verdict
        if self._restarting is not None and not self._restarting.done():
            return  # the worker is still being made
        logger.warning("recognition has hung for %.0f s: starting it again", silent_seconds)
        self._restarting = asyncio.create_task(self._replace_worker(hung))

    async def _replace_worker(self, hung: InProgress) -> None:
        """Make another worker, which takes a while, and go on with it if that is still needed."""
        assert self._make_worker is not None
        try:
            worker = await in_daemon_thread(self._make_worker)
            restarted = self._compute.restart(worker, hung)
        except Exception as error:
            self.vitals.failure(PART)
            logger.error("recognition cannot be started again now: %s", str(error) or repr(error))
            return
        if restarted:
            self.vitals.restart(PART)
            self._goes_on()  # it was given up where making the worker took very long
        else:
            logger.warning("recognition goes on after all, and was not started again")


def _with_losses(recognized: Recognized, job: Recognize) -> Recognized:
    """With what was lost before the utterance."""
    utterance = recognized.utterance
    reasons = list(utterance.degraded)
    if job.lost_pictures:
        reasons.append("video frames dropped")
    if job.lost_utterances:
        reasons.append(f"utterances dropped before this one: {job.lost_utterances}")
    utterance = replace(
        utterance,
        frames_dropped=utterance.frames_dropped + job.lost_pictures,
        degraded=tuple(dict.fromkeys(reasons)),
    )
    return replace(recognized, utterance=utterance)


@dataclass(eq=False)
class _Seat:
    """One participant, as the event loop knows them."""

    key: str
    source: Source
    cutter: UtteranceCutter
    build: Build
    rate: FrameRate = field(default_factory=FrameRate)
    room: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something of theirs was done, so that there may be room for more."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the compute has let them go."""
    paused: bool = False
    """Whether there is a pause in the open utterance."""
    ended_id: str = ""
    """Of the last utterance that ended."""
    known_as: set[Departure] = field(default_factory=set)
    """Who is gone when they leave: several, where several people share an input."""
    spoken_at: dict[str, float] = field(default_factory=dict)
    """By utterance, in order, when its last voiced sample arrived."""
    recognized: int = 0
    failed: int = 0
    dropped: int = 0
    too_short: int = 0
    media_seconds: float = 0.0
    first_event_at: float | None = None

    def take_spoken_at(self, utterance: str) -> float | None:
        """When an utterance ended; it and those before it, which were dropped, are forgotten."""
        for known in list(self.spoken_at) if utterance in self.spoken_at else ():
            found = self.spoken_at.pop(known)
            if known == utterance:
                return found
        return None
