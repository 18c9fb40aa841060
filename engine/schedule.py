"""What the compute thread does next. Sans-I/O, bounded, fair.

In this order:

1. somebody who leaves and has no ended utterance left is forgotten. That takes no time, and it
   waits for nobody: what else of theirs waits belongs to no utterance, and goes with them;
2. an utterance that has ended, of whoever was served longest ago;
3. an utterance that may have ended, since there is a pause: its result is then there when it has;
4. pictures and windows of sound, first come first served. Pictures of several participants
   are looked at together, one of each in turn, so that nobody's are left;
5. news of an utterance that goes on, half a second behind what came as early.

Nothing of one kind waits for ever behind another kind: a live participant has at most
`MAX_UTTERANCES` ended utterances and one that may have ended, and makes them no faster than they
speak. Where all of them together are more than the thread can do, the oldest are dropped.
Pictures and windows make way for an utterance that is about to end, but for a second at most.

When a live participant's pictures come faster than they are looked at, the oldest go; so do
ended utterances, later. A window of sound that goes is no loss: it is computed at the end.
Whoever reads a file waits instead (`is_full`), so of that nothing goes.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field

from stream.cutter import Resumed, SoFar, SoundWindow, Work
from stream.media import Utterance, VideoFrame

Key = str
"""Names a participant in the whole engine, where several dialogues may have a `guest-1`."""

MAX_PICTURES = 24
"""Of a participant, waiting: 1.6 s at the full rate."""
MAX_WINDOWS = 16
MAX_UTTERANCES = 4
"""Of a participant, ended and waiting."""
BATCH = 4
"""Pictures that are looked at together, at most ..."""
WORTHWHILE = 3
"""... and at least: four take the DenseNet less than twice the time of one ..."""
PATIENCE = 0.2
"""... unless one has waited for so many seconds."""
CLEAR = 0.12
"""Seconds before and after the time at which an utterance is expected to end, in which no other
work is begun: four pictures take as long, and the result may wait for none of them ..."""
OVERDUE = 1.0
"""... unless some has waited for so many seconds: in a full room an end is always near."""
NEWS_DELAY = 0.5
"""Seconds that news of an utterance lets other work go first."""


@dataclass(frozen=True, eq=False)
class Look:
    """Look at pictures."""

    pictures: tuple[tuple[Key, VideoFrame], ...]


@dataclass(frozen=True, eq=False)
class Listen:
    """Listen to a window of sound."""

    key: Key
    window: SoundWindow


@dataclass(frozen=True, eq=False)
class Recognize:
    """Recognise an utterance."""

    key: Key
    utterance: Utterance
    since: float
    """When it came, on the clock of the schedule."""
    final: bool
    """Whether it has ended."""
    paused: bool
    """Whether it may have."""
    pictures: tuple[VideoFrame, ...]
    """Of it, not looked at yet."""
    lost_pictures: int = 0
    """Pictures of the participant dropped since the last one that ended."""
    lost_utterances: int = 0
    """Utterances dropped since then."""
    resumptions: int = 0
    """How often the participant had gone on after a pause when it was taken."""


@dataclass(frozen=True, eq=False)
class Leave:
    """Forget a participant."""

    key: Key


Job = Look | Listen | Recognize | Leave


@dataclass
class _Seat:
    """What waits of one participant; each with the time since when."""

    lossless: bool
    pictures: deque[tuple[float, VideoFrame]] = field(default_factory=deque)
    windows: deque[tuple[float, SoundWindow]] = field(default_factory=deque)
    ended: deque[tuple[float, Utterance]] = field(default_factory=deque)
    so_far: tuple[float, SoFar] | None = None
    leaving: bool = False
    due: float = math.inf
    """When the utterance that may have ended surely has."""
    resumptions: int = 0
    served: float = -math.inf
    lost_pictures: int = 0
    lost_utterances: int = 0


class Schedule:
    """Everything that waits for the compute thread. Not thread-safe."""

    def __init__(self) -> None:
        """Nobody is there."""
        self._seats: dict[Key, _Seat] = {}
        self._turn = 0  # whose picture is first in the next batch
        self.dropped: Counter[str] = Counter()
        """`frames`, `utterances`, `speculations` and `partials` given up so far."""

    def join(self, key: Key, *, lossless: bool) -> None:
        """Somebody takes part; with `lossless` nothing of theirs is ever dropped."""
        self._seats[key] = _Seat(lossless)

    def leave(self, key: Key) -> None:
        """Somebody leaves, after their utterances that have ended are recognised."""
        self._seats[key].leaving = True

    def abandon(self, key: Key) -> int:
        """Drop all that waits of somebody, who then leaves at the next opportunity.

        Returns:
            How many of their utterances had ended and are now lost.
        """
        seat = self._seats.get(key)
        if seat is None:
            return 0
        self._seats[key] = _Seat(seat.lossless, leaving=True)
        return len(seat.ended)

    def put(self, key: Key, item: Work | Utterance, now: float) -> None:
        """Let work wait.

        Args:
            key: Whose it is.
            item: Something to do ahead, or an utterance that has ended.
            now: Seconds.
        """
        seat = self._seats[key]
        if isinstance(item, Resumed):
            seat.resumptions += 1
            seat.due = math.inf
            if seat.so_far and seat.so_far[1].paused:
                self._supersede(seat)
        elif isinstance(item, VideoFrame):
            seat.pictures.append((now, item))
            if len(seat.pictures) > MAX_PICTURES and not seat.lossless:
                seat.pictures.popleft()
                seat.lost_pictures += 1
                self.dropped["frames"] += 1
        elif isinstance(item, SoundWindow):
            seat.windows.append((now, item))
            if len(seat.windows) > MAX_WINDOWS and not seat.lossless:
                seat.windows.popleft()  # no loss: it is computed at the end
        elif isinstance(item, SoFar):
            self._supersede(seat)
            seat.so_far, seat.due = (now, item), now + item.ends_in
        else:
            self._supersede(seat, item)
            seat.due = math.inf
            seat.ended.append((now, item))
            if len(seat.ended) > MAX_UTTERANCES and not seat.lossless:
                seat.ended.popleft()
                seat.lost_utterances += 1
                self.dropped["utterances"] += 1

    def is_full(self, key: Key) -> bool:
        """Whether a reader that can wait should."""
        seat = self._seats.get(key)
        return seat is not None and (
            len(seat.pictures) >= MAX_PICTURES
            or len(seat.windows) >= MAX_WINDOWS
            or len(seat.ended) >= MAX_UTTERANCES
        )

    def is_wanted(self, job: Recognize) -> bool:
        """Whether an utterance that is being recognised is still worth it.

        A try is not once its speech has gone on, and news is not while anybody has ended or may
        have.
        """
        seat = self._seats.get(job.key)
        if job.final or seat is None:
            return True
        if job.paused:
            return seat.resumptions == job.resumptions
        return not any(
            one.ended or (one.so_far and one.so_far[1].paused) for one in self._seats.values()
        )

    def lag(self, key: Key, now: float) -> float:
        """Seconds that the oldest picture of somebody has waited."""
        seat = self._seats.get(key)
        return max(0.0, now - seat.pictures[0][0]) if seat and seat.pictures else 0.0

    def waiting_since(self) -> float | None:
        """Since when the oldest work waits; None where there is none."""
        heads = [
            queue[0][0]
            for seat in self._seats.values()
            for queue in (seat.pictures, seat.windows, seat.ended)
            if queue
        ]
        return min(heads, default=None)

    def depth(self, kind: str) -> int:
        """How much waits: of `frames`, `utterances` or `partials`."""
        seats = self._seats.values()
        if kind == "frames":
            return sum(len(seat.pictures) for seat in seats)
        if kind == "utterances":
            return sum(len(seat.ended) for seat in seats)
        return sum(seat.so_far is not None for seat in seats)

    def take(self, now: float) -> Job | None:
        """The next thing to do; None where nothing waits, or only a few young pictures."""
        if (leave := self._take_leave()) is not None:
            return leave
        ended = [key for key, seat in self._seats.items() if seat.ended]
        if ended:
            return self._finish(min(ended, key=lambda key: self._seats[key].served), now)
        tried = [
            (seat.so_far[0], key)
            for key, seat in self._seats.items()
            if seat.so_far and seat.so_far[1].paused
        ]
        if tried:
            return self._try(min(tried)[1])
        return self._take_piece(now)

    def _take_piece(self, now: float) -> Job | None:
        """Pictures, a window of sound or news, first come first served.

        Nothing is begun when an utterance is about to end, unless some is overdue.
        """
        since = self.waiting_since()
        overdue = since is not None and now - since >= OVERDUE
        if not overdue and any(abs(seat.due - now) <= CLEAR for seat in self._seats.values()):
            return None
        waiting: list[tuple[float, int, Key]] = []
        enough = self.depth("frames") >= WORTHWHILE
        for key, seat in self._seats.items():
            late = seat.pictures and now - seat.pictures[0][0] >= PATIENCE
            if seat.pictures and (enough or late):
                waiting.append((seat.pictures[0][0], 0, key))
            if seat.windows:
                waiting.append((seat.windows[0][0], 1, key))
            if seat.so_far:
                waiting.append((seat.so_far[0] + NEWS_DELAY, 2, key))
        if not waiting:
            return None
        _, kind, key = min(waiting)
        if kind == 0:
            return self._look()
        return Listen(key, self._seats[key].windows.popleft()[1]) if kind == 1 else self._try(key)

    def _take_leave(self) -> Leave | None:
        for key, seat in self._seats.items():
            if seat.leaving and not seat.ended:
                del self._seats[key]
                return Leave(key)
        return None

    def _finish(self, key: Key, now: float) -> Recognize:
        seat = self._seats[key]
        since, utterance = seat.ended.popleft()
        seat.served = now
        job = Recognize(
            key,
            utterance,
            since,
            final=True,
            paused=True,
            pictures=self._own_pictures(seat, utterance),
            lost_pictures=seat.lost_pictures,
            lost_utterances=seat.lost_utterances,
        )
        seat.lost_pictures = seat.lost_utterances = 0
        return job

    def _try(self, key: Key) -> Recognize:
        seat = self._seats[key]
        assert seat.so_far is not None
        (since, so_far), seat.so_far = seat.so_far, None
        pictures = self._own_pictures(seat, so_far.utterance)
        return Recognize(
            key,
            so_far.utterance,
            since,
            final=False,
            paused=so_far.paused,
            pictures=pictures,
            resumptions=seat.resumptions,
        )

    @staticmethod
    def _own_pictures(seat: _Seat, utterance: Utterance) -> tuple[VideoFrame, ...]:
        """Pictures that must be looked at before an utterance is recognised."""
        own = []
        while seat.pictures and seat.pictures[0][1].time < utterance.end:
            own.append(seat.pictures.popleft()[1])
        return tuple(own)

    def _look(self) -> Look:
        """The oldest pictures, one of each participant in turn."""
        keys = [key for key, seat in self._seats.items() if seat.pictures]
        first = self._turn % len(keys)
        self._turn += 1
        order = deque([*keys[first:], *keys[:first]])
        taken: list[tuple[Key, VideoFrame]] = []
        while order and len(taken) < BATCH:
            key = order.popleft()
            taken.append((key, self._seats[key].pictures.popleft()[1]))
            if self._seats[key].pictures:
                order.append(key)
        return Look(tuple(taken))

    def _supersede(self, seat: _Seat, ended: Utterance | None = None) -> None:
        """News that was not got round to is old now."""
        if seat.so_far is not None and (ended is None or seat.so_far[1].utterance.id == ended.id):
            if ended is None:
                self.dropped["speculations" if seat.so_far[1].paused else "partials"] += 1
            seat.so_far = None
