"""How many pictures a second are worth looking at: fewer while there is no time for more."""

from __future__ import annotations

FULL_RATE = 15.0
"""Pictures a second: what an expression needs (paper: 64 for an utterance of some seconds)."""
LEAST_RATE = 2.0
LATE_SECONDS = 1.0
"""A picture that has waited longer lowers the rate: longer than for one utterance that is being
recognised, and before anything must be dropped."""
IN_TIME_SECONDS = 0.25
"""One that has waited less raises it: a little is for company (`engine.schedule.PATIENCE`)."""
STEP_SECONDS = 1.0
"""Between two changes, so that each shows its effect before the next."""


class FrameRate:
    """Halves when pictures are late, and comes back slowly, as congestion control does.

    Additive increase, multiplicative decrease: Chiu and Jain, "Analysis of the increase and
    decrease algorithms for congestion avoidance in computer networks", 1989. Participants
    that share a machine then come to equal rates.
    """

    def __init__(self) -> None:
        """Begin at the full rate."""
        self.rate = FULL_RATE
        """Pictures a second."""
        self._changed_at: float | None = None

    @property
    def lowered(self) -> bool:
        """Whether it is below the full rate."""
        return self.rate < FULL_RATE

    def update(self, lag: float, now: float) -> float:
        """The rate, after the oldest picture that waits has waited `lag` seconds.

        Args:
            lag: 0 where none waits.
            now: Seconds; one that goes back is the same as no time.
        """
        if self._changed_at is not None and now - self._changed_at < STEP_SECONDS:
            return self.rate
        wanted = self.rate
        if lag > LATE_SECONDS:
            wanted = max(LEAST_RATE, self.rate / 2)
        elif lag < IN_TIME_SECONDS:
            wanted = min(FULL_RATE, self.rate + 1)
        if wanted != self.rate or self._changed_at is None:
            self.rate, self._changed_at = wanted, now
        return self.rate
