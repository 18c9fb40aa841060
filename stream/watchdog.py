"""Notice the part that is stuck. No input or output here, and nothing waits.

    start(part) -> beat, beat, ... -> end(part)
                   silence longer than its limit    -> restart
                   after too many of those          -> give_up, once
                   a beat after all                 -> recovered

The owner calls `check` regularly and does what the verdicts say.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Action = Literal["restart", "give_up", "recovered"]

MAX_RESTARTS = 5
PER_SECONDS = 60.0


@dataclass(frozen=True)
class Verdict:
    """What to do about a part."""

    part: str
    action: Action
    """`recovered`: a part that had been given up beats again; nothing is to be done."""
    silent_seconds: float
    """How long it gave no sign of life: since its last beat, or its start where it had none."""


@dataclass
class _Watched:
    limit_seconds: float
    alive_at: float
    """Its last beat or start."""
    patience_from: float
    """The same, or its last restart: it gets its limit again to show that this helped."""
    given_up: bool = False


class Watchdog:
    """Watches parts by name, for any thread.

    A part that ends and starts again keeps its count of restarts, so restarting it that way
    does not buy it more of them. One whose limit is longer than `per_seconds / max_restarts`
    never uses them up, and is restarted as long as it is silent.

    Args:
        clock: Seconds; where it goes back, time goes on from where it was.
        max_restarts: Restarts of one part within any `per_seconds`, before it is given up.
        per_seconds: See `max_restarts`.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        max_restarts: int = MAX_RESTARTS,
        per_seconds: float = PER_SECONDS,
    ) -> None:
        if max_restarts < 0:
            raise ValueError(f"max_restarts must not be negative, but is {max_restarts}")
        if not per_seconds > 0:
            raise ValueError(f"per_seconds must be positive, not {per_seconds}")
        self._clock, self._max_restarts, self._per_seconds = clock, max_restarts, per_seconds
        self._lock = threading.Lock()
        self._reading, self._gone_back = -math.inf, 0.0
        self._watched: dict[str, _Watched] = {}
        self._restarts: dict[str, deque[float]] = {}
        self._recovered: list[Verdict] = []

    def start(self, part: str, limit_seconds: float) -> None:
        """Watch a part from now on, or from now on again.

        Args:
            part: Its name.
            limit_seconds: Silence that is still no reason to act.
        """
        if not limit_seconds > 0:
            raise ValueError(f"limit_seconds must be positive, not {limit_seconds}")
        with self._lock:
            now = self._steady(self._clock())
            before = self._watched.get(part)
            given_up = before is not None and before.given_up
            self._watched[part] = _Watched(limit_seconds, now, now, given_up)

    def beat(self, part: str) -> None:
        """A part shows that it works; harmless for one that is not watched."""
        with self._lock:
            watched = self._watched.get(part)
            if watched is None:
                return
            now = self._steady(self._clock())
            if watched.given_up:
                watched.given_up = False
                self._recovered.append(Verdict(part, "recovered", now - watched.alive_at))
            watched.alive_at = watched.patience_from = now

    def end(self, part: str) -> None:
        """Watch a part no more; that it was given up is forgotten. Harmless if not watched."""
        with self._lock:
            self._watched.pop(part, None)

    def check(self, now: float) -> list[Verdict]:
        """What to do at the moment `now`, in seconds of the clock."""
        with self._lock:
            now = self._steady(now)
            self._forget_restarts(now)
            verdicts, self._recovered = self._recovered, []
            for part, watched in self._watched.items():
                silent = now - watched.patience_from
                if not watched.given_up and silent > watched.limit_seconds:
                    action = self._act(part, watched, now)
                    verdicts.append(Verdict(part, action, now - watched.alive_at))
            return verdicts

    def _act(self, part: str, watched: _Watched, now: float) -> Action:
        restarts = self._restarts.get(part, deque())
        if len(restarts) >= self._max_restarts:
            watched.given_up = True
            return "give_up"
        restarts.append(now)
        self._restarts[part] = restarts
        watched.patience_from = now
        return "restart"

    def _forget_restarts(self, now: float) -> None:
        for part, restarts in list(self._restarts.items()):
            while restarts and now - restarts[0] > self._per_seconds:
                restarts.popleft()
            if not restarts:
                del self._restarts[part]

    def _steady(self, reading: float) -> float:
        """A time that never goes back, whatever the clock does."""
        self._gone_back += max(0.0, self._reading - reading)
        self._reading = reading
        return reading + self._gone_back
