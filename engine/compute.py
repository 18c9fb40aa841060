"""The one thread that owns all heavy compute, and takes its jobs from the schedule."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.giving_up import NotWanted
from engine.memory import GIVE_BACK_SECONDS, give_back
from engine.schedule import PATIENCE, Job, Key, Leave, Listen, Look, Recognize, Schedule
from engine.worker import Place, Recognized, Worker
from stream.cutter import Resumed, SoFar, Work
from stream.media import Utterance

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Outcome:
    """How a job went."""

    job: Job
    results: tuple[Recognized, ...]
    """Of `Recognize`, in the order of the turns: those before it failed, if it did."""
    error: Exception | None
    started: float
    """When it was begun, on the clock."""
    seconds: float
    """How long it took."""


class Compute:
    """Waits for work, does it, and tells the event loop.

    Args:
        worker: Has the models.
        done: Called in the event loop for every job.
        clock: Seconds, never going back.
    """

    def __init__(
        self,
        worker: Worker,
        done: Callable[[Outcome], object],
        clock: Callable[[], float],
    ) -> None:
        self._worker, self._done, self._clock = worker, done, clock
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._schedule = Schedule()
        self._places: dict[Key, Place] = {}
        self._tried: dict[Key, Utterance] = {}  # whose words were begun in a pause
        self._gave_back = clock()
        self._closed = False
        self._generation = 0
        self._began: float | None = None
        self._job: Job | None = None
        self._start()

    @property
    def busy_since(self) -> float | None:
        """When the job in progress was begun; None between jobs."""
        return self._began

    def join(self, place: Place, *, lossless: bool) -> None:
        """Somebody takes part; with `lossless` nothing of theirs is dropped."""
        with self._changed:
            self._places[place.key] = place
            self._schedule.join(place.key, lossless=lossless)

    def put(self, key: Key, item: Work | Utterance) -> None:
        """Let work wait."""
        with self._changed:
            self._schedule.put(key, item, self._clock())
            self._changed.notify()
        self._listen(key, item)

    def leave(self, key: Key) -> None:
        """Somebody leaves, after what waits of them is done: `done` is told of `Leave`."""
        self._tried.pop(key, None)
        with self._changed:
            self._schedule.leave(key)
            self._changed.notify()

    def is_full(self, key: Key) -> bool:
        """Whether a reader that can wait should."""
        with self._changed:
            return self._schedule.is_full(key)

    def lag(self, key: Key) -> float:
        """Seconds that the oldest picture of somebody has waited."""
        with self._changed:
            return self._schedule.lag(key, self._clock())

    def depth(self, kind: str) -> int:
        """How much waits: of `frames`, `utterances` or `partials`."""
        with self._changed:
            return self._schedule.depth(kind)

    def waiting_since(self) -> float | None:
        """Since when the oldest work waits or is being done; None where there is none."""
        with self._changed:
            since = [self._schedule.waiting_since(), self._began]
        return min((one for one in since if one is not None), default=None)

    def take_dropped(self) -> dict[str, int]:
        """What was dropped since the last call, by what it was."""
        with self._changed:
            dropped = dict(self._schedule.dropped)
            self._schedule.dropped.clear()
        return dropped

    def restart(self, worker: Worker) -> None:
        """Go on with another worker on another thread: the job in progress has hung, and failed.

        The thread that hangs cannot be ended; when its job ends after all, nobody is told.
        """
        with self._changed:
            job, began = self._job, self._began
            self._generation += 1
            self._worker, self._job, self._began = worker, None, None
        if job is not None and began is not None:
            error = TimeoutError("it did not end and was given up")
            self._done(Outcome(job, (), error, began, self._clock() - began))
        self._start()

    def close(self) -> None:
        """End: nothing is begun any more, and nobody wants what is in progress."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait for its thread to end, that long at most; after `close`, and not in the loop.

        An interpreter that goes while a thread of it computes crashes, in C++.

        Returns:
            Whether it has ended.
        """
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _listen(self, key: Key, item: Work | Utterance) -> None:
        """Words do not wait: they are recognised on a thread of their own."""
        if isinstance(item, SoFar) and item.paused:
            self._tried[key] = item.utterance
            self._worker.listen(item.utterance)
        elif isinstance(item, Resumed) and key in self._tried:
            self._worker.give_up(self._tried.pop(key))
        elif isinstance(item, Utterance):
            self._tried.pop(key, None)
            self._worker.listen(item)

    def _start(self) -> None:
        arguments = self._worker, self._generation
        self._thread = threading.Thread(
            target=self._run, args=arguments, name="compute", daemon=True
        )
        self._thread.start()

    def _run(self, worker: Worker, generation: int) -> None:
        while (job := self._next(generation)) is not None:
            began = self._clock()
            results: list[Recognized] = []
            error: Exception | None = None
            try:
                for recognized in self._do(worker, job):
                    results.append(recognized)  # kept where the next one fails
            except Exception as failure:
                error = failure
            outcome = Outcome(job, tuple(results), error, began, self._clock() - began)
            if not self._finish(generation, outcome):
                return
            self._settle(worker, job)

    def _next(self, generation: int) -> Job | None:
        """Wait for a job; None where this thread is no longer wanted."""
        with self._changed:
            while not self._closed and generation == self._generation:
                if (job := self._schedule.take(self._clock())) is not None:
                    self._job, self._began = job, self._clock()
                    return job
                self._changed.wait(PATIENCE / 2)  # pictures that wait for company, not for ever
        return None

    def _finish(self, generation: int, outcome: Outcome) -> bool:
        """Tell the loop; False where this thread is no longer wanted."""
        with self._changed:
            if generation != self._generation:
                return False
            self._job = self._began = None
            if isinstance(outcome.job, Leave):
                self._places.pop(outcome.job.key, None)
        try:
            self._loop.call_soon_threadsafe(self._done, outcome)
        except RuntimeError:
            return False  # the loop is closed, so nobody waits any more
        return True

    def _do(self, worker: Worker, job: Job) -> Iterator[Recognized]:
        if isinstance(job, Look):
            worker.see(job.pictures)
        elif isinstance(job, Listen):
            worker.hear(job.key, job.window)
        elif isinstance(job, Recognize):
            if job.pictures:
                worker.see([(job.key, frame) for frame in job.pictures])
            place, check = self._places[job.key], functools.partial(self._check, job)
            yield from worker.turns(place, job.utterance, final=job.final, check=check)
        else:
            worker.leave(self._places[job.key])

    def _check(self, job: Recognize) -> None:
        with self._changed:
            if self._closed or not self._schedule.is_wanted(job):
                raise NotWanted

    def _settle(self, worker: Worker, job: Job) -> None:
        """Make room in a dialogue, and in memory, once an utterance is out: nobody waits then."""
        if isinstance(job, Recognize) and job.final and job.key in self._places:
            try:
                worker.settle(self._places[job.key].dialogue)
            except Exception as error:
                logger.warning("the dialogue could not be read ahead: %s", error)
            if self._clock() - self._gave_back >= GIVE_BACK_SECONDS:
                give_back()
                self._gave_back = self._clock()
