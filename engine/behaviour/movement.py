"""Movement between frames: motion energy, nods and shakes of the head, hands."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.behaviour.measures import Series
from engine.faces import Box
from stream.media import Image, VideoFrame

MOTION_SIDE = 160
"""Longer side in pixels of the pictures that motion energy compares."""
MOTION_GREY = 12
"""Grey levels from which a pixel counts as changed."""
CUT_SHARE = 0.7
"""Share of the whole picture that changes when a film cuts or a camera swings."""
MAX_GAP_SECONDS = 0.5
"""Frames further apart are not compared: whatever moved has moved on."""
SWING_DEGREES = {"head_pitch": 4.0, "head_yaw": 5.0}
"""Least turn of one swing of a nod and of a shake."""
MIN_SWINGS = 3
"""Swings to and fro that make a nod or a shake: down, up, down."""
MAX_SWING_SECONDS = 0.8
"""Nods and shakes go to and fro at least about this quickly ..."""
NOD_FRAME_SECONDS = 0.25
"""... so frames must be at most this far apart for them to be seen."""

MIN_HAND_STEPS = 3
"""Steps between looks at a hand that tell whether it keeps moving."""


def motion_energy(
    frames: Sequence[VideoFrame], boxes: Sequence[Box | None]
) -> list[tuple[float, float]]:
    """Share of the pixels around a person that change from one frame to the next.

    Motion energy analysis: Ramseyer and Tschacher, "Nonverbal Synchrony in Psychotherapy",
    Journal of Personality and Social Psychology 100(2), 2011. The person's region is three
    faces wide and reaches two faces below the face. Cuts are left out.

    Args:
        frames: In the order of time.
        boxes: The person's face in each; None where it is not seen.

    Returns:
        Media seconds of the later frame of each pair, and the share from 0 to 1.
    """
    meter = MotionMeter()
    energies = [meter(frame, box) for frame, box in zip(frames, boxes, strict=True)]
    return [
        (frame.time, energy)
        for frame, energy in zip(frames, energies, strict=True)
        if energy is not None
    ]


class MotionMeter:
    """Motion energy, a frame at a time."""

    def __init__(self) -> None:
        """There is no frame to compare the first one with."""
        self._before: tuple[float, NDArray[np.uint8]] | None = None

    def __call__(self, frame: VideoFrame, box: Box | None) -> float | None:
        """Share of the pixels around a person that changed since the frame before.

        None without a frame shortly before or without a person, and where a film cuts.
        """
        before, small = self._before, _small(frame.image)
        self._before = frame.time, small
        if box is None or before is None or before[1].shape != small.shape:
            return None
        if not 0 <= frame.time - before[0] <= MAX_GAP_SECONDS:
            return None
        changed = cv2.absdiff(before[1], small) > MOTION_GREY
        if changed.mean() >= CUT_SHARE:
            return None
        around = _person(changed, box, len(small) / len(frame.image))
        return float(around.mean()) if around.size else None


def swings(series: Series, least: float) -> tuple[float, float] | None:
    """Find a nod or a shake: the longest run of quick turns to and fro.

    A turn counts once the value has come back by `least` from where it was furthest, as in
    Kawato and Ohya, "Real-time Detection of Nodding and Head-shaking by Directly Detecting
    and Tracking the Between-Eyes", IEEE FG 2000: the direction alternates, quickly.

    Args:
        series: Degrees.
        least: Degrees of a swing.

    Returns:
        Media seconds of the first and of the last turning point; None where there is none, or
        where the frames are too far apart to tell.
    """
    steps = np.diff(series.times)
    if len(steps) < MIN_SWINGS or np.median(steps) > NOD_FRAME_SECONDS:
        return None
    turning = _turning_points(series, least)
    longest: list[float] = []
    run = turning[:1]
    for earlier, later in itertools.pairwise(turning):
        run = [*run, later] if later - earlier <= MAX_SWING_SECONDS else [later]
        longest = max(longest, run, key=len)
    return (longest[0], longest[-1]) if len(longest) > MIN_SWINGS else None


def hand_keeps_moving(x: Series, height: Series, least: float) -> bool:
    """Whether a wrist moves between looks time and again, to and fro.

    All steps but one are as long as asked for, of at least three, and some step goes back on
    the one before: neither a hand that is put elsewhere nor one that holds something does that.

    Args:
        x: To the right of the picture, shoulder widths.
        height: Above the shoulders, likewise.
        least: Shoulder widths of a step.
    """
    places = [dict(zip(way.times, way.values, strict=True)) for way in (x, height)]
    seen = sorted(places[0].keys() & places[1].keys())
    if len(seen) <= MIN_HAND_STEPS:
        return False
    steps = np.diff(np.array([[way[time] for way in places] for time in seen]), axis=0)
    long = int((np.hypot(*steps.T) >= least).sum())
    back = (steps[1:] * steps[:-1]).sum(axis=1) < 0
    return long >= len(steps) - 1 and bool(back.any())


def _small(image: Image) -> NDArray[np.uint8]:
    """A small grey version of a picture."""
    scale = MOTION_SIDE / max(image.shape[:2])
    size = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def _person(changed: NDArray[np.bool_], box: Box, scale: float) -> NDArray[np.bool_]:
    """The part of a small picture that shows head, shoulders and chest."""
    x, y = box.centre
    left, right = (x - 1.5 * box.side) * scale, (x + 1.5 * box.side) * scale
    top, bottom = (y - box.side) * scale, (y + 2.5 * box.side) * scale
    rows = slice(max(0, round(top)), max(0, round(bottom)))
    return changed[rows, max(0, round(left)) : max(0, round(right))]


def _turning_points(series: Series, least: float) -> list[float]:
    """Times at which a value is furthest before it comes back by `least`, and both ends."""
    times, values = series.times, series.values
    turning: list[float] = []
    direction = 0
    furthest = 0
    for index in range(1, len(values)):
        ahead = values[index] - values[furthest]
        if direction == 0:
            if abs(ahead) >= least:
                direction = 1 if ahead > 0 else -1
                turning.append(times[furthest])
                furthest = index
        elif ahead * direction > 0:
            furthest = index
        elif abs(ahead) >= least:
            turning.append(times[furthest])
            direction, furthest = -direction, index
    return [*turning, times[furthest]] if direction else []
