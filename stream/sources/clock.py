"""Timestamps of two tracks as seconds on one clock. No input or output here.

Timestamps are wrong in many ways: one frame has a wrong one, a track jumps, a whole programme
begins anew or wraps round, a raw stream has none. What is right shows in what comes next, and
in the other track:

* A frame that leaps is held until the next one comes. If that one goes on where the track was,
  only the one timestamp was wrong: the frame takes the place of which there is no doubt.
* A leap ahead that is confirmed is a real pause if the other track is there, too, or if there
  is no other track. Else the track goes on where it was, until it is in line again.
* A leap back that is confirmed is another recording in the same file: it follows the first,
  both of its tracks moved by the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")

JITTER_SECONDS = 0.3
"""A step back by no more than this is jitter."""
BACK_SECONDS = 1.0
"""A track that is put in line again steps back by no more than this."""
LEAP_SECONDS = 0.5
"""A step ahead by no more than this is taken as it is; so is one like the one before."""
NEAR_SECONDS = 3.0
"""How far apart the packets of two tracks that belong together are stored."""
LONGEST_PAUSE_SECONDS = 3600.0
"""A longer leap ahead is no pause."""
ALONE_SECONDS = 10.0
"""A track of which nothing came for so long says nothing about the other one."""
_LONGEST_KEY_SECONDS = 600.0  # between two key frames: a seek may land so early
_REACHED_SECONDS = 0.3
_LONGEST_STEP = 30.0


@dataclass(frozen=True)
class _Frame(Generic[T]):
    item: T
    raw: float | None
    """Seconds since the media starts, as its timestamp says."""
    duration: float


class TrackClock(Generic[T]):
    """Places the frames of one track; see above.

    Args:
        origin: Timestamp, in seconds, at which the media starts.
    """

    def __init__(self, origin: float) -> None:
        self._origin = origin
        self._beside: TrackClock[Any] | None = None
        self._shift = 0.0  # what is added to the track's own time
        self._last = 0.0  # where the last frame was placed
        self._jitter = BACK_SECONDS  # a step back by no more; the first frames may come early
        self._next = 0.0  # where the next frame is expected
        self._step = 0.0  # between the last two frames
        self._refused = False  # whether the last leap was one ahead that was no pause
        self._lead = 0.0  # how far its packets are usually stored before the other track's
        self._held: _Frame[T] | None = None
        self._fresh: float | None = None  # a seek to about there has just been made
        self._heard_at: float | None = None  # `_next` when the other track last moved
        self.wrong = 0
        """Timestamps so far that were wrong."""

    def join(self, other: TrackClock[Any]) -> None:
        """Keep in step with another track of the same media, and it with this one."""
        self._beside, other._beside = other, self

    def time_of(self, timestamp: float) -> float:
        """Where a frame with that timestamp is to be expected, in media seconds."""
        return timestamp - self._origin + self._shift

    def push(self, item: T, timestamp: float | None, duration: float) -> list[tuple[T, float]]:
        """Take the next frame; gives the frames whose media seconds are now known, in order.

        Args:
            item: The frame.
            timestamp: Seconds, as the container says; None where it says nothing.
            duration: Seconds until the frame after it is expected.
        """
        raw = None if timestamp is None else timestamp - self._origin
        placed = self._release(raw)
        placed += self._take(_Frame(item, raw, duration))
        if self._beside is not None:
            self._beside._heard_at = self._beside._next
        return placed

    def flush(self) -> list[tuple[T, float]]:
        """No more frames come: gives the one that is held, if any."""
        held, self._held = self._held, None
        if held is None or held.raw is None:
            return []
        ahead = held.raw + self._shift - self._next
        if ahead > 0 and self._is_pause(held.raw):
            return [self._leap(held)]
        return [self._wrong(held, self._next)]

    def skip(self, time: float) -> None:
        """Go on from about `time`, which a seek was asked for; it may land well before."""
        self._fresh, self._held = time, None

    def _take(self, frame: _Frame[T]) -> list[tuple[T, float]]:
        raw = frame.raw
        if raw is None:
            return [self._put(frame, self._next)]
        if self._fresh is not None:
            self._land(raw, max(0.0, self._fresh - _LONGEST_KEY_SECONDS))
        fits = self._fits(raw + self._shift)
        if (self._refused or not fits) and self._is_in_line(raw):
            assert self._beside is not None
            self._shift, self._refused, fits = self._beside._shift, False, True
        if fits:
            return [self._put(frame, raw + self._shift)]
        self._held = frame
        return []

    def _release(self, raw: float | None) -> list[tuple[T, float]]:
        """Decide about the frame that is held, now that the one after it has come."""
        held, self._held = self._held, None
        if held is None or held.raw is None:
            return []
        if raw is None:
            return [self._wrong(held, self._next)]
        time, leapt = raw + self._shift, held.raw + self._shift
        if leapt > self._next:
            confirmed = time >= leapt - BACK_SECONDS and raw - held.raw <= LONGEST_PAUSE_SECONDS
        else:
            confirmed = time < self._last - self._jitter
        # Half-way, because pictures may come faster than their container says.
        between = (self._last + time) / 2 if time >= self._last else self._next
        return [self._leap(held) if confirmed else self._wrong(held, between)]

    def _wrong(self, frame: _Frame[T], time: float) -> tuple[T, float]:
        """Only this timestamp was wrong: the frame follows the one before it, at `time` at most."""
        self.wrong += 1
        return self._put(frame, min(time, self._next))

    def _leap(self, frame: _Frame[T]) -> tuple[T, float]:
        """The track really leaps."""
        assert frame.raw is not None
        time = frame.raw + self._shift
        if time > self._next and self._is_pause(frame.raw):
            return self._put(frame, time)
        beside = self._beside
        self._refused = time > self._next
        if beside is None or not self._follows(frame.raw + beside._shift):
            self._shift = self._next - frame.raw
        else:
            self._shift = beside._shift
        return self._put(frame, max(frame.raw + self._shift, self._next))

    def _is_pause(self, raw: float) -> bool:
        """Whether a leap ahead is a pause in the media rather than a fault of this track."""
        time = raw + self._shift
        if time - self._next > LONGEST_PAUSE_SECONDS:
            return False
        beside = self._listening
        if beside is None:
            return True
        reached = max(beside._next, beside._next - beside._shift + self._shift)
        return time <= reached + self._lead + LEAP_SECONDS

    @property
    def _listening(self) -> TrackClock[Any] | None:
        """The other track, if frames of it come."""
        if self._heard_at is None or self._next - self._heard_at > ALONE_SECONDS:
            return None
        return self._beside

    def _is_in_line(self, raw: float) -> bool:
        """Whether a frame is where the other track is, if both are moved by the same time."""
        beside = self._listening
        if beside is None or beside._shift == self._shift:
            return False
        if beside._refused and beside._shift < self._shift:
            return False
        time = raw + beside._shift
        return time >= self._next - BACK_SECONDS and abs(time - beside._next) <= NEAR_SECONDS

    def _fits(self, time: float) -> bool:
        """Whether a frame at `time` needs no second thought."""
        step = time - self._next
        usual = max(LEAP_SECONDS, 2 * min(self._step, _LONGEST_STEP))
        if time >= self._last - self._jitter and step <= usual:
            return True
        beside = self._listening
        return step > 0 and beside is not None and time <= beside._next + _REACHED_SECONDS

    def _follows(self, time: float) -> bool:
        return -BACK_SECONDS <= time - self._next <= NEAR_SECONDS

    def _land(self, raw: float, earliest: float) -> None:
        """Take the first timestamp after a seek as it is, unless it is absurd."""
        self._fresh = None
        if not -BACK_SECONDS <= raw - earliest <= LONGEST_PAUSE_SECONDS:
            self._shift = earliest - raw
        self._last = self._next = raw + self._shift

    def _put(self, frame: _Frame[T], time: float) -> tuple[T, float]:
        self._step = max(frame.duration, time + frame.duration - self._next)
        self._last, self._next = time, time + frame.duration
        self._jitter = JITTER_SECONDS
        if self._listening is not None and self._shift == self._listening._shift:
            self._lead = min(max(self._lead, time - self._listening._next), NEAR_SECONDS)
        return frame.item, time
