"""When to open again what failed or fell silent. No input or output here, and nothing waits.

    opening -> beat, beat, ...    it works, and is back when it has done so for a while
            -> failed             -> open, after a delay that doubles from try to try
            -> silence            -> open, at once

After five of those within a minute it is given up. That only means that it is opened every
half minute from then on, until it is back: somebody may plug it in after all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from stream.watchdog import Watchdog

Step = Literal["open", "give up", "back"]

FIRST_DELAY_SECONDS = 0.5
RARE_SECONDS = 30.0
"""Between two tries after it was given up, and the longest delay before that."""
PROVEN_SECONDS = 5.0
"""How long it must work to be back: a loose plug gives a picture now and then."""
LONGEST_OPENING_SECONDS = 60.0

_PART = "device"


class Reopening:
    """Says when to open one device or stream again; one thread at a time may ask.

    Something that once took long to give its first item is let take twice as long later on:
    some systems open a camera in 20 s, and cutting that short would never open it.

    Args:
        clock: Seconds, never going back.
        opening_seconds: How long it may take from being opened to its first item.
        silent_seconds: How long it may give nothing after that.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        opening_seconds: float,
        silent_seconds: float,
    ) -> None:
        self._clock, self._watchdog = clock, Watchdog(clock)
        self._opening_seconds, self._silent_seconds = opening_seconds, silent_seconds
        self._opened_at = 0.0
        self._beating_since: float | None = None
        self._proven = self._proven_now = False
        self._failures = 0
        self._retry_at: float | None = None

    def opening(self) -> None:
        """It is being opened."""
        self._opened_at = self._clock()
        self._watchdog.start(_PART, self._opening_seconds)
        self._unproven()

    def beat(self) -> None:
        """It gave something."""
        now = self._clock()
        if self._beating_since is None:
            self._beating_since = now
            self._begin(now)
        if not self._proven and now - self._beating_since >= PROVEN_SECONDS:
            self._proven = self._proven_now = True
            self._failures, self._retry_at = 0, None
            self._watchdog.start(_PART, self._silent_seconds)
        if self._retry_at is None:
            self._watchdog.beat(_PART)

    def failed(self) -> None:
        """It could not be opened, or has ended."""
        delay = min(FIRST_DELAY_SECONDS * 2**self._failures, RARE_SECONDS)
        self._failures += 1
        self._watchdog.start(_PART, delay)
        self._unproven()

    def check(self, now: float) -> list[Step]:
        """What to do at the moment `now`, in seconds of the clock.

        Returns:
            `open`: open it, and call `opening`; `give up` and `back`: nothing but say so.
        """
        steps: list[Step] = ["back"] if self._proven_now else []
        self._proven_now = False
        for verdict in self._watchdog.check(now):
            if verdict.action == "restart":
                steps.append("open")
            elif verdict.action == "give_up":
                self._retry_at = now + RARE_SECONDS
                self._unproven()
                steps.append("give up")
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = now + RARE_SECONDS
            steps.append("open")
        return steps

    def _unproven(self) -> None:
        self._beating_since, self._proven = None, False

    def _begin(self, now: float) -> None:
        if self._retry_at is not None:
            self._retry_at = now + RARE_SECONDS  # time to prove itself
            return
        longer = min(2 * (now - self._opened_at), LONGEST_OPENING_SECONDS)
        self._opening_seconds = max(self._opening_seconds, longer)
        self._watchdog.start(_PART, self._silent_seconds)
