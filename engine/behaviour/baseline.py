"""What is usual for one person: a running robust baseline. Sans-I/O, bounded, deterministic.

Per measure the median and the median absolute deviation (MAD) of the last frames are
kept: both ignore expressions as long as these fill less than half of the frames. A
departure counts from three MAD-based standard deviations (Leys, Ley, Klein, Bernard and
Licata, "Detecting outliers: Do not use standard deviation around the mean, use absolute
deviation around the median", Journal of Experimental Social Psychology 49(4), 2013), at
least from the measure's `minimum`, and always from its `tolerance`, so that the face of
somebody very lively is not taken to be still.

While few frames are known, centre and threshold are drawn towards those of people in
general, with a weight that shrinks as frames come in, as an empirical Bayes estimate does
(Efron and Morris, "Data analysis using Stein's estimator and its generalizations",
JASA 70(350), 1975). Who is first seen laughing is not taken to look like that always.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from engine.behaviour.measures import MEASURES, Series

WINDOW_FRAMES = 512
"""Frames that a baseline remembers per measure: about 25 utterances."""
PRIOR_FRAMES = 24
"""Frames that what is usual for people in general counts as."""
DEVIATIONS = 3.0
"""Robust standard deviations from which a departure counts: the conservative choice."""
MAD_TO_SIGMA = 1.4826
"""Makes the MAD of a normal distribution its standard deviation."""


@dataclass(frozen=True)
class Normal:
    """What is usual in one measure."""

    centre: float
    """Usual value."""
    threshold: float
    """Departure from which a value is unusual; positive."""
    above: float = 0.0
    """The same of a value above the centre; 0 for as much."""

    def departure(self, value: float) -> float:
        """How far a value is from the usual, in thresholds: -1 and 1 are just unusual."""
        above = value > self.centre and self.above
        return (value - self.centre) / (above or self.threshold)


class Baseline:
    """What is usual for one participant."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._values: dict[str, deque[float]] = {}

    def update(self, series: Mapping[str, Series]) -> None:
        """Take in the frames of an utterance; measures without an entry in `MEASURES` are ignored.

        Args:
            series: Values by the name of the measure.
        """
        for name, measured in series.items():
            if name in MEASURES:
                self._known(name).extend(_finite(measured.values))

    def frames(self, name: str) -> int:
        """How many values of a measure are remembered, at most `WINDOW_FRAMES`."""
        return len(self._values.get(name, ()))

    def normal(self, name: str) -> Normal | None:
        """What is usual in a measure; None where that cannot be told yet.

        Args:
            name: A key of `MEASURES`.
        """
        measure = MEASURES[name]
        values = np.array(self._values.get(name, ()))
        count = len(values)
        if measure.neutral is None and count < PRIOR_FRAMES:
            return None
        if count == 0:
            return Normal(measure.neutral or 0.0, measure.tolerance, measure.above)
        centre = float(np.median(values))
        sigma = MAD_TO_SIGMA * float(np.median(np.abs(values - centre)))
        threshold = max(measure.minimum, DEVIATIONS * sigma)
        if measure.neutral is None:
            return Normal(centre, threshold)
        own = count / (count + PRIOR_FRAMES)
        below, above = (
            own * min(threshold, tolerance) + (1 - own) * tolerance
            for tolerance in (measure.tolerance, measure.above or measure.tolerance)
        )
        return Normal(own * centre + (1 - own) * measure.neutral, below, above)

    def _known(self, name: str) -> deque[float]:
        return self._values.setdefault(name, deque(maxlen=WINDOW_FRAMES))


def _finite(values: Iterable[float]) -> list[float]:
    return [value for value in values if np.isfinite(value)]
