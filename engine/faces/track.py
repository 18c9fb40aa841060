"""The participant's face over an utterance: chosen once, then followed.

The largest face over the whole utterance is the participant. From the frame where it
is clearest it is followed both ways, looking only around where it last was. A face
that is too far away or of another size is somebody else and is never taken instead.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.faces.crop import FER2013_FRAMING, Framing, crop_face, crop_quality
from engine.faces.detector import Face, FaceDetector
from engine.faces.geometry import Box, Square
from stream.media import Image, VideoFrame

SEED_FRAMES = 8
"""Frames that are searched whole to find out whose face to follow."""
SEARCH_SCALE = 3.0
"""Side of the search around the last box, in its sides."""
REACH = 0.5
"""How far a face may be from where it was, in sides of its box ..."""
REACH_PER_SECOND = 0.8
"""... plus this much for every second since ..."""
MAX_REACH = 0.9
"""... up to this: a neighbour's face is further away than one side."""
MAX_GROWTH = 1.6
"""How much larger or smaller a face may have become."""
MAX_GAP_SECONDS = 0.6
"""Frames without the face are filled in where it was seen before and after within this."""
SMOOTHING_SECONDS = 0.08
"""Standard deviation of the smoothing of boxes over time."""


@dataclass(frozen=True, eq=False)
class FaceCrop:
    """The participant's face in one frame."""

    image: Image
    """Shape (S, S, 3), RGB."""
    quality: float
    """0 to 1; see `crop_quality`."""
    box: Box
    """The face in the frame, smoothed over time."""


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """The participant's face over an utterance."""

    crops: tuple[FaceCrop | None, ...]
    """One per frame; None where the face is not to be seen."""
    quality: float
    """Mean quality over all frames, 0 to 1; a frame without the face counts 0."""


@dataclass(frozen=True)
class _Sighting:
    time: float
    box: Box
    score: float


def track_faces(
    frames: Sequence[VideoFrame],
    detector: FaceDetector,
    size: int,
    framing: Framing = FER2013_FRAMING,
) -> FaceTrack:
    """Follow the largest face of an utterance and cut it out of every frame.

    Args:
        frames: In the order of time.
        detector: Finds the faces.
        size: Side of the crops in pixels.
        framing: How much around the face the crops show.
    """
    seen: list[_Sighting | None] = [None] * len(frames)
    chosen = _choose(frames, detector)
    if chosen is not None:
        start, seen[start] = chosen
        _follow(frames, detector, seen, range(start + 1, len(frames)), chosen[1])
        _follow(frames, detector, seen, range(start - 1, -1, -1), chosen[1])
    _fill_gaps([frame.time for frame in frames], seen)
    crops = [
        None if sighting is None else _cut(frame.image, sighting, size, framing)
        for frame, sighting in zip(frames, _smooth(seen), strict=True)
    ]
    total = sum(crop.quality for crop in crops if crop is not None)
    return FaceTrack(tuple(crops), total / max(1, len(crops)))


def _choose(frames: Sequence[VideoFrame], detector: FaceDetector) -> tuple[int, _Sighting] | None:
    """The frame and face to start from: the clearest of the person with the largest face."""
    people: list[list[tuple[int, _Sighting]]] = []
    for index in np.unique(np.linspace(0, len(frames) - 1, SEED_FRAMES).round().astype(int)):
        if index < 0:
            return None
        frame = frames[index]
        for face in detector(frame.image):
            sighting = _Sighting(frame.time, face.box, face.score)
            known = [person for person in people if _reaches(person[-1][1], sighting)]
            if known:
                known[0].append((int(index), sighting))
            else:
                people.append([(int(index), sighting)])
    if not people:
        return None
    largest = max(people, key=lambda person: sum(s.box.area * s.score for _, s in person))
    return max(largest, key=lambda item: item[1].score)


def _follow(
    frames: Sequence[VideoFrame],
    detector: FaceDetector,
    seen: list[_Sighting | None],
    indices: Iterable[int],
    last: _Sighting,
) -> None:
    """Note where the face is in further frames, walking away from where it is known."""
    for index in indices:
        frame = frames[index]
        around = Square(*last.box.centre, SEARCH_SCALE * last.box.side)
        found = _nearest(detector.within(frame.image, around), frame.time, last)
        if found is None:
            found = _nearest(detector(frame.image), frame.time, last)
        seen[index] = found
        last = found or last


def _nearest(faces: Iterable[Face], time: float, last: _Sighting) -> _Sighting | None:
    """Of the faces that can be the same as the last one, the nearest."""
    sightings = [_Sighting(time, face.box, face.score) for face in faces]
    within_reach = [sighting for sighting in sightings if _reaches(last, sighting)]
    return min(within_reach, key=lambda sighting: _distance(last, sighting), default=None)


def _reaches(last: _Sighting, sighting: _Sighting) -> bool:
    """Whether two sightings can be of the same face."""
    reach = min(MAX_REACH, REACH + REACH_PER_SECOND * abs(sighting.time - last.time))
    growth = max(sighting.box.side, 1.0) / max(last.box.side, 1.0)
    return _distance(last, sighting) < reach and 1 / MAX_GROWTH < growth < MAX_GROWTH


def _distance(last: _Sighting, sighting: _Sighting) -> float:
    """Between the middles, in sides of the box."""
    return math.dist(last.box.centre, sighting.box.centre) / max(last.box.side, 1.0)


def _fill_gaps(times: Sequence[float], seen: list[_Sighting | None]) -> None:
    """Fill short runs of misses on a straight line, at half the score around them."""
    known = [index for index, sighting in enumerate(seen) if sighting is not None]
    for before, after in itertools.pairwise(known):
        one, other = seen[before], seen[after]
        if one is None or other is None or other.time - one.time > MAX_GAP_SECONDS:
            continue
        for index in range(before + 1, after):
            share = (times[index] - one.time) / max(other.time - one.time, 1e-9)
            box = Box(*(a + share * (b - a) for a, b in zip(one.box, other.box, strict=True)))
            seen[index] = _Sighting(times[index], box, min(one.score, other.score) / 2)


def _smooth(seen: Sequence[_Sighting | None]) -> list[_Sighting | None]:
    """Average boxes over neighbouring times: crops then do not shake with the detector."""
    known = [sighting for sighting in seen if sighting is not None]
    times = np.array([sighting.time for sighting in known])
    boxes = np.array([sighting.box for sighting in known])
    scores = np.array([sighting.score for sighting in known])
    smoothed: list[_Sighting | None] = []
    for sighting in seen:
        if sighting is None:
            smoothed.append(None)
            continue
        weights = scores * np.exp(-0.5 * ((times - sighting.time) / SMOOTHING_SECONDS) ** 2)
        box = Box(*np.average(boxes, axis=0, weights=weights).tolist())
        smoothed.append(_Sighting(sighting.time, box, sighting.score))
    return smoothed


def _cut(image: Image, sighting: _Sighting, size: int, framing: Framing) -> FaceCrop:
    crop = crop_face(image, sighting.box, size, framing)
    quality = crop_quality(crop, framing.scale * sighting.box.side, sighting.score)
    return FaceCrop(crop, quality, sighting.box)
