"""What is measured, in which unit, and what counts as a departure from the usual.

`neutral` and `tolerance` stand in until a person's own baseline is known. For faces they
are the median, and three robust standard deviations (1.4826 times the median absolute
deviation), over 573 near-frontal faces of FER2013's training part that annotators of
FERPlus found neutral (more than 70 % of the votes); of angles, 0 by definition. Three
deviations missed raised inner brows, wide eyes and a head that is down. Of pitch it is two and a
half, the moderate choice of Leys et al. (2013); of inner brows and of eyes that are wider than
usual it is what few neutral faces exceed: 2.3 % and 0.6 %, against 3.8 % and 22.5 % of surprised
ones in FER2013's PublicTest. `minimum`
is one such deviation, about, below which a departure is not told from noise however
still a person usually is.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Measure:
    """One number that can be told of a frame."""

    minimum: float
    """Smallest departure from the baseline that is spoken of, in the unit of the measure."""
    neutral: float | None = None
    """Usual value of people in general; None where that says nothing of one person."""
    tolerance: float = 0.0
    """Smallest departure from `neutral` that is spoken of while nothing is known of a person."""
    above: float = 0.0
    """The same of values above `neutral`, where people differ less to that side; 0 for as much."""

    def __post_init__(self) -> None:
        least = min(self.tolerance, self.above or self.tolerance)
        if self.minimum <= 0 or (self.neutral is not None and least < self.minimum):
            raise ValueError(f"a measure needs 0 < minimum <= tolerance, not {self}")


MEASURES = {
    # Interocular distances (engine.behaviour.face_measures).
    "brow_height": Measure(0.030, 0.212, 0.090),  # of the brows over the eyes: AU1+2, AU4
    "brow_slant": Measure(0.020, 0.001, 0.030),  # inner ends over outer ends: AU1
    "brow_gap": Measure(0.020, 0.302, 0.051),  # between the inner ends: AU4
    "eye_opening": Measure(
        0.060, 0.324, 0.132, above=0.090
    ),  # eye aspect ratio, no unit: AU5, AU6/7, AU43
    "corner_lift": Measure(0.020, -0.011, 0.042),  # of the mouth's corners over its middle: AU12
    "corner_slant": Measure(0.020, 0.002, 0.033),  # left corner over the right one
    "mouth_width": Measure(0.050, 0.562, 0.162),  # AU18, AU20
    "lip_gap": Measure(0.040, 0.021, 0.060),  # between the lips: AU25
    "lip_thickness": Measure(0.025, 0.184, 0.063),  # visible red of both: AU24
    "jaw_drop": Measure(0.070, 0.725, 0.213),  # from the nose to the chin: AU26, AU27
    # Widths of an eye.
    "gaze_x": Measure(0.080, 0.005, 0.138),  # to the person's own left
    "gaze_y": Measure(0.050, 0.064, 0.075),  # up
    # Degrees (engine.behaviour.head).
    "head_yaw": Measure(10.0, 0.0, 21.0),  # to the person's own left
    "head_pitch": Measure(10.0, 0.0, 22.0),  # up
    "head_roll": Measure(7.0, 0.0, 15.0),  # to the person's own left
    # Degrees (engine.behaviour.body_measures).
    "shoulder_slope": Measure(5.0, 0.0, 10.0),  # left shoulder lower
    "shoulder_turn": Measure(15.0, 0.0, 30.0),  # to the person's own left
    # Shoulder widths; they depend on a person's build, so nothing is usual for everybody.
    "head_size": Measure(0.040),
    "neck_length": Measure(0.080),
    # Share of the pixels around a person that change between two frames.
    "motion_energy": Measure(0.100, 0.0, 0.300),
}
"""What has a baseline, by name. The hands are told in absolute terms (`engine.behaviour.rules`)."""


@dataclass(frozen=True)
class Series:
    """One measure over an utterance, at the frames where it could be told."""

    times: tuple[float, ...]
    """Media seconds, ascending."""
    values: tuple[float, ...]
    """As many."""

    def __post_init__(self) -> None:
        if len(self.times) != len(self.values):
            raise ValueError(f"{len(self.times)} times for {len(self.values)} values")
        if any(later < earlier for earlier, later in itertools.pairwise(self.times)):
            raise ValueError("the times of a series must ascend")


def collect(frames: Sequence[tuple[float, Mapping[str, float]]]) -> dict[str, Series]:
    """Numbers per frame as one series per measure; what is not finite is left out.

    Args:
        frames: Media seconds of a frame and its numbers, in the order of time.
    """
    gathered: dict[str, list[tuple[float, float]]] = {}
    for time, numbers in frames:
        for name, value in numbers.items():
            if np.isfinite(value):
                gathered.setdefault(name, []).append((time, float(value)))
    return {
        name: Series(tuple(time for time, _ in points), tuple(value for _, value in points))
        for name, points in gathered.items()
    }
