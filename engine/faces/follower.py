"""Every face of one camera, followed forward in time: a frame is done when it is seen.

Each known person is looked for around where the face is expected; the whole picture is
searched only now and then. What the landmarks do not take for an upright face is looked at
again now and then, but not told of. After a cut of a film everybody is somebody new. Nothing
depends on later frames, so a live camera and a recorded clip give the same.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2

from engine.faces.crop import crop_face
from engine.faces.detector import MIN_SCORE, SAME_FACE, Face, FaceDetector
from engine.faces.geometry import Box, Square, overlap, tiles, whole
from engine.faces.shots import ShotMeter
from stream.media import Image, VideoFrame

SEARCH_SCALE = 3.0
"""Side of the search around the expected place of a face, in sides of its box."""
REST = 0.2
"""The search stays where it is until the face is this many sides off its middle, or this much
larger or smaller: the detector's boxes shake three times as much when it moves with them."""
WHOLE_SECONDS = 1.0
"""Between searches of the whole picture for newcomers while somebody is in sight."""
RETRY_SECONDS = 0.18
"""Between searches for those long out of sight, and of the whole picture where nobody is in
sight. Such a search takes several looks: done for every frame, an empty room would cost more
than a full one. A little under a fifth, so that of five frames a second none is left out."""
FORGET_SECONDS = 10.0
"""Out of sight for this long, a person is forgotten."""
GAP_SECONDS = 0.6
"""Out of sight for this long, a face is looked for less often and its motion is void."""
REACH = 0.5
"""How far a face may be from where it is expected, in sides of its box ..."""
REACH_PER_SECOND = 0.8
"""... plus this much for every second out of sight ..."""
MAX_REACH = 1.5
"""... up to this: people side by side are further apart."""
MAX_GROWTH = 1.6
"""How much larger or smaller a face may have become."""
SMOOTHING_SECONDS = 0.08
"""Time constant of the smoothing of boxes."""
VELOCITY_SECONDS = 0.2
"""Time over which a velocity is measured, and for which it is believed to last."""
MIN_STEP = 0.01
"""Seconds; frames of one and the same time count as this far apart."""
MIN_SIDE = 1.0
"""Pixels; a smaller box is no face."""
CHECK_SECONDS = 1.0
"""Between looks for the landmarks of somebody who is known to be a face ..."""
RECHECK_SECONDS = 0.3
"""... and of what is not, or where the last look found none."""
MAX_FAILURES = 2
"""Looks in a row without landmarks after which a face is none until it has them again."""
STILL_GREY = 1.0
"""Mean change in grey levels between two such looks below which a face did not move."""
STILL_SIDE = 24
"""Side in pixels of the crops that are compared for that: sensors' noise averages out."""
PICTURE_LOOKS = 3
"""Looks in a row without movement from which a face is taken for a picture on a wall: people
breathe, blink and sway."""
PICTURE_WEIGHT = 0.02
"""How much such a face weighs beside those that move."""
MAX_PATCHES = 8
"""Of what is no face, known at a time, so that it is not looked at in every frame."""
LEAST_SCORE = 0.01
"""What counts of the score of a face that the detector just reports."""


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """A person's face in one frame."""

    person: int
    """Who it is: from 1 in the order of appearance, never given to anybody else."""
    box: Box
    """Pixels of the frame, smoothed over the time up to it."""
    score: float
    """The detector's, 0 to 1."""
    time: float
    """Media seconds of the frame."""
    shot: int = 0
    """Which stretch without a cut the frame is of; everybody in it is new with it."""
    is_picture: bool = False
    """Whether the face has not moved at all for some seconds, as one on a wall."""

    @property
    def weight(self) -> float:
        """Who weighs most over some frames is the main person: `engine.faces.MainFace`.

        The area times the square of what the score is above the detector's threshold. A large
        patch that is just taken for a face does not weigh more than a small face. A face that
        never moves weighs little: it counts where nobody else is there.
        """
        weight = self.box.area * max(LEAST_SCORE, self.score - MIN_SCORE) ** 2
        return weight * (PICTURE_WEIGHT if self.is_picture else 1.0)


class FaceFollower:
    """Follows the faces of one camera. Not for several threads at once.

    On one thread about 2 ms for each face in sight, and 0.3 ms for the search for newcomers and
    0.2 ms for the landmarks, spread over the frames of a second.
    """

    def __init__(self, detector: FaceDetector, *, max_people: int = 4) -> None:
        """Start with nobody known.

        Args:
            detector: Finds the faces.
            max_people: How many are known at a time; of more, those in sight and the larger.
        """
        if max_people < 1:
            raise ValueError(f"max_people is {max_people}: it must be at least 1")
        self._detector = detector
        self._max_people = max_people
        self._ids = itertools.count(1)
        self._size = (0, 0)
        self._shot = 0
        self._cuts = ShotMeter()
        self._forget_all()

    def __call__(self, frame: VideoFrame) -> tuple[TrackedFace, ...]:
        """Find everybody in the next frame, the largest face first.

        Args:
            frame: In the order of time. Where the time runs backwards or a film cuts everybody
                is forgotten; a frame without a time, or that is no (H, W, 3) picture, shows
                nobody.
        """
        image, time = frame.image, frame.time
        if not (math.isfinite(time) and image.ndim == 3 and image.shape[2] == 3 and image.size):
            return ()
        if self._cuts(frame):
            self._forget_all()
        self._prepare(image, time)
        seen = self._recognise(image, self._look(image, time), time)
        faces = [
            TrackedFace(known.person, known.smooth, known.score, time, self._shot, known.is_picture)
            for known in seen
            if known.is_face
        ]
        return tuple(sorted(faces, key=lambda face: face.box.area, reverse=True))

    def _forget_all(self) -> None:
        self._time = self._searched = self._retried = -math.inf
        self._people: list[_Known] = []
        self._shot += 1

    def _prepare(self, image: Image, time: float) -> None:
        """Forget whom this frame cannot show, and fit the others to the size of the picture."""
        if time < self._time:
            self._forget_all()
        (old_height, old_width), (height, width) = self._size, image.shape[:2]
        if (height, width) != (old_height, old_width):
            # A sender short of bandwidth changes the size of the pictures, not the view.
            if abs(width * old_height - height * old_width) > 0.02 * width * old_height:
                self._forget_all()
            self._people = [known.scaled(width / old_width) for known in self._people]
        self._time, self._size = time, (height, width)
        self._people = [
            known
            for known in self._people
            if time - known.time <= (FORGET_SECONDS if known.person else GAP_SECONDS)
        ]

    def _look(self, image: Image, time: float) -> list[Face]:
        """The faces in the picture, each once."""
        retry = time - self._retried >= RETRY_SECONDS
        squares = [
            known.search(time)
            for known in self._people
            if known.is_face and (retry or time - known.time <= GAP_SECONDS)
        ]
        found = self._found(image, squares)
        nobody = not found
        if retry:
            self._retried = time
            patches = (known.search(time) for known in self._people if not known.is_face)
            found += self._found(image, patches)
        if (retry and nobody) or time - self._searched >= WHOLE_SECONDS:
            self._searched = time
            height, width = image.shape[:2]
            found += self._found(image, [whole(height, width), *tiles(height, width)])
        return _distinct(found)

    def _found(self, image: Image, squares: Iterable[Square]) -> list[tuple[Square, Face]]:
        """What looks at parts of the picture show, and in which."""
        return [
            (square, face)
            for square in squares
            for face in self._detector.within(image, square)
            if all(map(math.isfinite, (*face.box, face.score))) and face.box.side >= MIN_SIDE
        ]

    def _recognise(self, image: Image, faces: Sequence[Face], time: float) -> list[_Known]:
        """Note who has which face, with new people for the faces that nobody has."""
        taken = _assign(self._people, faces, time)
        again = [self._people[who].seen(faces[which], time) for who, which in taken.items()]
        # Who is known has the place before what turns out to be a face only now.
        again.sort(key=lambda known: not known.person)
        rest = [face for which, face in enumerate(faces) if which not in taken.values()]
        rest.sort(key=lambda face: face.box.area, reverse=True)
        seen: list[_Known] = []
        patches: list[_Known] = []
        for known in [*again, *(_Known.start(0, face, time) for face in rest)]:
            if len(seen) >= self._max_people:
                break
            if len(patches) >= MAX_PATCHES and not known.person:
                continue
            checked = self._checked(known, image, time)
            (seen if checked.person else patches).append(checked)
        missing = [known for who, known in enumerate(self._people) if who not in taken]
        missing.sort(key=lambda known: known.time, reverse=True)
        people = [*seen, *(known for known in missing if known.person)]
        patches += [known for known in missing if not known.person]
        self._people = people[: self._max_people] + patches[:MAX_PATCHES]
        return seen

    def _checked(self, known: _Known, image: Image, time: float) -> _Known:
        """The same, looked at for landmarks where that is due; with an id once it has them."""
        sure = known.is_face and not known.failures
        if time - known.checked < (CHECK_SECONDS if sure else RECHECK_SECONDS) - MIN_STEP:
            return known
        presence = self._detector.presence(image, known.smooth)
        if presence.begins if not known.is_face else presence.lasts:
            person = known.person or next(self._ids)
            known = known.compared(crop_face(image, known.smooth, STILL_SIDE))
            return replace(known, person=person, is_face=True, checked=time, failures=0)
        failures = known.failures + 1
        is_face = known.is_face and failures < MAX_FAILURES
        # What stays there without landmarks must not keep the place of a person for ever.
        person = known.person if failures * RECHECK_SECONDS <= FORGET_SECONDS else 0
        return replace(known, person=person, is_face=is_face, checked=time, failures=failures)


@dataclass(frozen=True, eq=False)
class _Known:
    """A person, or what may be one, and where the face was last."""

    person: int
    """0 for what has never shown the landmarks of a face."""
    time: float
    """Media seconds when it was last seen."""
    box: Box
    """As the detector gave it."""
    smooth: Box
    """Smoothed over time."""
    score: float
    square: Square
    """Where it was last searched for."""
    velocity: tuple[float, float] = (0.0, 0.0)
    """Of the middle, pixels a second."""
    is_face: bool = False
    """Whether the landmarks say so."""
    checked: float = -math.inf
    """Media seconds when that was last looked at."""
    failures: int = 0
    """Looks in a row without landmarks."""
    crop: Image | None = None
    """How it looked then, small."""
    still: int = 0
    """Looks in a row between which nothing moved."""

    @property
    def is_picture(self) -> bool:
        """Whether it has not moved for some looks."""
        return self.still >= PICTURE_LOOKS

    def compared(self, crop: Image) -> _Known:
        """The same, with whether it moved since the look before."""
        moved = self.crop is None or float(cv2.absdiff(crop, self.crop).mean()) >= STILL_GREY
        return replace(self, crop=crop, still=0 if moved else self.still + 1)

    @classmethod
    def start(cls, person: int, face: Face, time: float) -> _Known:
        """Somebody of whose motion nothing is known."""
        return cls(person, time, face.box, face.box, face.score, _around(face.box))

    def expected(self, time: float) -> Box:
        """Where the face should be by now, if its motion fades."""
        lasted = VELOCITY_SECONDS * _share(time - self.time, VELOCITY_SECONDS)
        x, y = (lasted * speed for speed in self.velocity)
        return Box(self.box.x0 + x, self.box.y0 + y, self.box.x1 + x, self.box.y1 + y)

    def search(self, time: float) -> Square:
        """Where to look for the face now."""
        expected = self.expected(time)
        off = math.dist(self.square[:2], expected.centre) / expected.side
        fresh = _around(expected)
        rests = off <= REST and 1 / (1 + REST) <= fresh.side / self.square.side <= 1 + REST
        return self.square if rests else fresh

    def seen(self, face: Face, time: float) -> _Known:
        """The same person, seen again."""
        step = max(MIN_STEP, time - self.time)
        if step > GAP_SECONDS:
            fresh = _Known.start(self.person, face, time)
            return replace(fresh, is_face=self.is_face, failures=self.failures)
        follow, trust = _share(step, SMOOTHING_SECONDS), _share(step, VELOCITY_SECONDS)
        smooth = Box(*(a + follow * (b - a) for a, b in zip(self.smooth, face.box, strict=True)))
        moves = zip(self.box.centre, face.box.centre, self.velocity, strict=True)
        x, y = (v + trust * ((new - old) / step - v) for old, new, v in moves)
        square = self.search(time)
        return replace(
            self,
            time=time,
            box=face.box,
            smooth=smooth,
            score=face.score,
            square=square,
            velocity=(x, y),
        )

    def scaled(self, scale: float) -> _Known:
        """The same in a picture of another size."""
        box, smooth = (Box(*(scale * edge for edge in box)) for box in (self.box, self.smooth))
        square = Square(*(scale * number for number in self.square))
        x, y = self.velocity
        velocity = (scale * x, scale * y)
        return replace(self, box=box, smooth=smooth, square=square, velocity=velocity)


def _around(box: Box) -> Square:
    return Square(*box.centre, SEARCH_SCALE * box.side)


def _share(step: float, constant: float) -> float:
    """How much of the way something with this time constant goes in a step of time."""
    return 1 - math.exp(-step / constant)


def _assign(people: Sequence[_Known], faces: Sequence[Face], time: float) -> dict[int, int]:
    """Whose face is which, by index: nearest first, each person and each face once."""
    claims = [
        (cost, who, which)
        for who, known in enumerate(people)
        for which, face in enumerate(faces)
        if (cost := _cost(known, face, time)) is not None
    ]
    taken: dict[int, int] = {}
    for _, who, which in sorted(claims):
        if who not in taken and which not in taken.values():
            taken[who] = which
    return taken


def _cost(known: _Known, face: Face, time: float) -> float | None:
    """How little a face fits a person; None where it is too far off or of another size.

    The time out of sight counts, so that who stays in sight keeps the face although somebody
    else was last seen just there.
    """
    expected = known.expected(time)
    distance = math.dist(expected.centre, face.box.centre) / expected.side
    growth = face.box.side / expected.side
    unseen = REACH_PER_SECOND * (time - known.time)
    if distance >= min(MAX_REACH, REACH + unseen) or not 1 / MAX_GROWTH < growth < MAX_GROWTH:
        return None
    return distance + abs(math.log(growth)) + unseen


def _distinct(found: Iterable[tuple[Square, Face]]) -> list[Face]:
    """Each face once: as the closest look that shows it in full has it."""
    kept: list[Face] = []
    for _, face in sorted(found, key=lambda look: (_is_cut(*look), look[0].side)):
        if all(overlap(face.box, other.box) <= SAME_FACE for other in kept):
            kept.append(face)
    return kept


def _is_cut(square: Square, face: Face) -> bool:
    """Whether a face reaches out of the look that found it."""
    x, y = square.corner
    box = face.box
    return box.x0 < x or box.y0 < y or box.x1 > x + square.side or box.y1 > y + square.side
