"""The one thread that owns all heavy compute, and takes its jobs from the schedule."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from engine.giving_up import NotWanted
from engine.memory import GIVE_BACK_SECONDS, give_back
from engine.schedule import PATIENCE, Job, Key, Leave, Listen, Look, Recognize, Schedule
from engine.worker import Place, Recognized, Worker
from stream.cutter import Resumed, SoFar, Work
from stream.media import Utterance
from stream.watchdog import Watchdog

logger = logging.getLogger(__name__)

PART = "compute"
"""What the watchdog knows the compute thread as."""
HUNG_SECONDS = 30.0
"""A job of the compute thread that takes longer has hung ..."""
SLOWER = 3.0
"""... but where one took long and ended after all, the machine is slow: only what takes so many
times longer has hung then. Starting again would make it slower still."""
MOST_SLOWER = 10.0
"""Times `HUNG_SECONDS` after which anything has hung."""
NOT_LOOKED = "pictures not looked at"
"""Why an utterance is worse than it could be."""


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


@dataclass(frozen=True, eq=False)
class InProgress:
    """What the compute thread is doing; each time another object."""

    job: Job | None
    """None while it makes room in a dialogue and in memory, after an utterance."""
    began: float
    """When it was begun, on the clock."""


class Compute:
    """Waits for work, does it, and tells the event loop.

    All methods but those of the thread itself are called in the event loop.

    Args:
        worker: Has the models.
        done: Called in the event loop for every job.
        clock: Seconds, never going back.
        watchdog: Is told, as `PART`, when something is begun and when it has ended.
        hung_seconds: See `HUNG_SECONDS`.
    """

    def __init__(
        self,
        worker: Worker,
        done: Callable[[Outcome], object],
        clock: Callable[[], float],
        watchdog: Watchdog | None = None,
        hung_seconds: float = HUNG_SECONDS,
    ) -> None:
        self._worker, self._done, self._clock = worker, done, clock
        self._watchdog, self._hung_seconds = watchdog or Watchdog(clock), hung_seconds
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._schedule = Schedule()
        self._places: dict[Key, Place] = {}
        self._tried: dict[Key, Utterance] = {}  # whose words were begun in a pause
        self._gave_back = clock()
        self._closed = False
        self._generation = 0
        self._in_progress: InProgress | None = None
        self._longest = 0.0  # seconds that anything took and then ended after all
        self._start()

    @property
    def in_progress(self) -> InProgress | None:
        """What is being done; None where the thread waits for work."""
        return self._in_progress

    @property
    def busy_since(self) -> float | None:
        """When what is in progress was begun; None where the thread waits for work."""
        in_progress = self._in_progress
        return None if in_progress is None else in_progress.began

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
        """Somebody leaves, after their utterances are recognised: `done` is told of `Leave`."""
        self._tried.pop(key, None)
        with self._changed:
            self._schedule.leave(key)
            self._changed.notify()

    def abandon(self, key: Key) -> int:
        """Drop what waits of somebody who leaves: the thread does nothing any more.

        Should it go on after all, it forgets them first.

        Returns:
            How many of their utterances are lost.
        """
        with self._changed:
            lost, doing = self._schedule.abandon(key), self._in_progress
        job = doing.job if doing is not None else None
        return lost + (isinstance(job, Recognize) and job.final and job.key == key)

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
            since = [self._schedule.waiting_since(), self.busy_since]
        return min((one for one in since if one is not None), default=None)

    def take_dropped(self) -> dict[str, int]:
        """What was dropped since the last call, by what it was."""
        with self._changed:
            dropped = dict(self._schedule.dropped)
            self._schedule.dropped.clear()
        return dropped

    def restart(self, worker: Worker, hung: InProgress) -> bool:
        """Go on with another worker on another thread, because something has hung.

        The thread that hangs cannot be ended; when its job ends after all, nobody is told.

        Args:
            worker: Goes on with the dialogues.
            hung: What had hung when it was decided to make the worker.

        Returns:
            False where that has ended meanwhile: nothing is restarted, and the worker is closed.

        Raises:
            RuntimeError: No thread can be started now. What had hung has failed, and the watchdog
                sees what was not started as something that hangs.
        """
        with self._changed:
            if self._closed or self._in_progress is not hung:
                _close(worker)
                return False
            self._generation += 1
            old, self._worker, self._in_progress = self._worker, worker, None
            self._longest = 0.0
            self._watchdog.end(PART)
            if isinstance(hung.job, Leave):
                self._places.pop(hung.job.key, None)
            dialogues = {place.dialogue for place in self._places.values()}
        _take_over(worker, old, dialogues)
        try:
            self._start()
        finally:
            if hung.job is not None:
                error = TimeoutError("it did not end and was given up")
                self._done(Outcome(hung.job, (), error, hung.began, self._clock() - hung.began))
        return True

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
        """Words do not wait: they are recognised on a thread of their own.

        Where they cannot be begun now, they are when they are asked for.
        """
        try:
            self._begin_words(key, item)
        except Exception as error:
            logger.warning("words are not begun ahead: %s", str(error) or repr(error))

    def _begin_words(self, key: Key, item: Work | Utterance) -> None:
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
        thread = threading.Thread(target=self._run, args=arguments, name="compute", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._broke_off(self._generation)
            raise
        self._thread = thread

    def _run(self, worker: Worker, generation: int) -> None:
        try:
            while (job := self._next(generation)) is not None:
                outcome = self._outcome(worker, job)
                if not self._finish(generation, outcome):
                    break
                self._make_room(worker, generation, job)
        except BaseException:  # nobody looks at how a thread ended
            logger.exception("the compute thread broke off")
            self._broke_off(generation)
            return  # words go on with this worker until there is another
        _close(worker)

    def _broke_off(self, generation: int) -> None:
        """Let the watchdog see a thread that is not there as one that hangs."""
        with self._changed:
            if generation == self._generation and self._in_progress is None:
                self._begin(None)

    def _outcome(self, worker: Worker, job: Job) -> Outcome:
        """Do a job."""
        began = self._clock()
        results: list[Recognized] = []
        error: Exception | None = None
        try:
            for recognized in self._do(worker, job):
                results.append(recognized)  # kept where the next one fails
        except Exception as failure:
            error = failure
        except SystemExit as exit:  # would end this thread, and nobody would know
            error = RuntimeError(f"a library tried to end the program ({exit.code})")
        return Outcome(job, tuple(results), error, began, self._clock() - began)

    def _next(self, generation: int) -> Job | None:
        """Wait for a job; None where this thread is no longer wanted."""
        with self._changed:
            while not self._closed and generation == self._generation:
                if (job := self._schedule.take(self._clock())) is not None:
                    self._begin(job)
                    return job
                self._changed.wait(PATIENCE / 2)  # pictures that wait for company, not for ever
        return None

    def _begin(self, job: Job | None) -> None:
        """Note what is begun; the lock is held."""
        self._in_progress = InProgress(job, self._clock())
        limit = max(1.0, min(SLOWER * self._longest / self._hung_seconds, MOST_SLOWER))
        self._watchdog.start(PART, limit * self._hung_seconds)

    def _end(self, generation: int) -> bool:
        """Note that it has ended; False where this thread is no longer wanted."""
        with self._changed:
            if generation != self._generation or self._in_progress is None:
                return False
            self._longest = max(self._longest, self._clock() - self._in_progress.began)
            self._in_progress = None
            self._watchdog.beat(PART)
            self._watchdog.end(PART)
            return True

    def _finish(self, generation: int, outcome: Outcome) -> bool:
        """Tell the loop; False where this thread is no longer wanted."""
        if not self._end(generation):
            return False
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
            place, check = self._places[job.key], functools.partial(self._check, job)
            yield from worker.turns(place, _looked(worker, job), final=job.final, check=check)
        else:
            self._forget(worker, job.key)

    def _forget(self, worker: Worker, key: Key) -> None:
        """Forget a participant, and the dialogue that nobody takes part in any more."""
        with self._changed:
            place = self._places.pop(key, None)
            over = place and all(place.dialogue != o.dialogue for o in self._places.values())
        if place is not None:
            worker.leave(place)
            if over:
                worker.end(place.dialogue)

    def _check(self, job: Recognize) -> None:
        with self._changed:
            if self._closed or not self._schedule.is_wanted(job):
                raise NotWanted

    def _make_room(self, worker: Worker, generation: int, job: Job) -> None:
        """Make room in a dialogue, and in memory, once an utterance is out: nobody waits then."""
        if not (isinstance(job, Recognize) and job.final):
            return
        with self._changed:
            place = self._places.get(job.key)
            if place is None or generation != self._generation:
                return
            self._begin(None)
        try:
            worker.settle(place.dialogue)
        except (Exception, SystemExit) as error:
            logger.warning("the dialogue could not be read ahead: %s", str(error) or repr(error))
        if self._clock() - self._gave_back >= GIVE_BACK_SECONDS:
            give_back()
            self._gave_back = self._clock()
        self._end(generation)


def _looked(worker: Worker, job: Recognize) -> Utterance:
    """The utterance, once its last pictures were looked at; without them it still has a voice.

    A try fails instead: its result would be given again, without the reason.
    """
    try:
        if job.pictures:
            worker.see([(job.key, frame) for frame in job.pictures])
    except (Exception, SystemExit) as error:
        if not job.final:
            raise
        logger.warning("pictures not looked at: %s", str(error) or repr(error))
        degraded = (*job.utterance.degraded, NOT_LOOKED)
        return replace(job.utterance, degraded=degraded)
    return job.utterance


def _take_over(worker: Worker, old: Worker, dialogues: Collection[str]) -> None:
    """Let a new worker go on with dialogues; where it cannot, they begin anew."""
    try:
        worker.take_over(old, dialogues)
    except Exception as error:
        logger.warning("what was said before is forgotten: %s", error)
    _close(old)


def _close(worker: Worker) -> None:
    """Free what a worker holds; one that cannot be closed stops nothing."""
    try:
        worker.close()
    except Exception as error:
        logger.warning("a worker does not close: %s", error)
