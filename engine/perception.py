"""What is seen and heard of each participant, computed piece by piece while they speak.

Owned by the compute thread. A picture is followed, cut, encoded and measured once, when it
comes; a window of sound when it is full. `perceived` and `behaviour` put the pieces of an
utterance together. All of it is bounded: pictures leave nothing but their numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.behaviour import Behaviour, Observer
from engine.behaviour.movement import MotionMeter
from engine.behaviour.reader import collect_glances
from engine.faces import Box, MainFace, MouthMotion, TrackedFace, cut_face, heaviest
from engine.faces.follower import FORGET_SECONDS
from engine.faces.talking import SIDE
from engine.model.perceived import Look, Perceived
from stream.audio import sample_index
from stream.cutter import MAX_FRAMES, SCREEN_SECONDS, sample_frames
from stream.media import Samples, Utterance, VideoFrame

KEPT_LOOKS = 512
"""Of a participant: more than the longest utterance has at 15 pictures a second."""
KEPT_FACES = 8
"""Of one camera with several people: as many again as are followed at a time."""
KEPT_WINDOWS = 64
"""Of a participant: more than the longest utterance has."""
GLANCE_SECONDS = 0.2
"""Between two pictures in which the face is measured ..."""
POSE_SECONDS = 1.0
"""... and the body."""

PAUSE_SECONDS = 30.0
"""Several people keep their places in a pause of this length, in which no pictures come: ..."""
SHORT_SECONDS = 1.0
"""... it counts as so long for who follows their faces."""
MAIN = 0
"""Stands for the face of the one participant. With several people nobody has it, and it tells
when pictures were looked at."""

_EARLY = 0.02
"""Seconds by which a picture may come early: those of a camera are not evenly spaced."""

_T = TypeVar("_T", Look, "_Glance")

Follow = Callable[[VideoFrame], Sequence[TrackedFace]]
"""The faces in the next picture of one camera: `engine.faces.FaceFollower`."""


class Encoder(Protocol):
    """The part of `engine.model.recognizer.Recognizer` that is needed."""

    def look(self, frames: Sequence[VideoFrame], faces: Sequence[TrackedFace | None]) -> list[Look]:
        """Encode pictures, of several participants if need be."""
        ...

    def hear(self, windows: Sequence[Samples]) -> NDArray[np.float32]:
        """Functionals (W, D) of windows of sound."""
        ...


class Measurer(Protocol):
    """The part of `engine.behaviour.BehaviourReader` that is needed."""

    def look(self, frame: VideoFrame, box: Box, *, pose: bool) -> Mapping[str, float]:
        """The numbers of one frame."""
        ...


@dataclass(frozen=True)
class _Glance:
    time: float
    person: int
    weight: float
    numbers: Mapping[str, float]
    motion: float | None


@dataclass
class _Track:
    """What is seen of one face."""

    looks: deque[Look] = field(default_factory=lambda: deque(maxlen=KEPT_LOOKS))
    glances: deque[_Glance] = field(default_factory=lambda: deque(maxlen=KEPT_LOOKS))
    motion: MotionMeter = field(default_factory=MotionMeter)
    posed_at: float = -POSE_SECONDS
    mouth: MouthMotion = field(default_factory=MouthMotion)
    moved: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=KEPT_LOOKS))
    """How much the mouth moves, where there are several people."""
    followed_at: float = 0.0
    """When it was last seen, without the pauses."""


@dataclass
class _Senses:
    """Of one participant, or of several people at one camera."""

    follow: Follow | None
    choose: MainFace = field(default_factory=MainFace)
    tracks: dict[int, _Track] = field(default_factory=dict)
    windows: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    described: set[str] = field(default_factory=set)
    """Names of those whose usual behaviour is known."""
    seen_at: float = 0.0
    """Time of the last picture that was followed ..."""
    paused: float = 0.0
    """... and seconds of pauses before it that do not count."""

    def main_face(self, frame: VideoFrame) -> TrackedFace | None:
        """The face of the main person so far, if it is in the frame."""
        return self.choose(self.follow(frame), frame.time) if self.follow else None

    def all_faces(self, frame: VideoFrame) -> Sequence[TrackedFace]:
        """Everybody in the frame."""
        pause, self.seen_at = frame.time - self.seen_at, frame.time
        if SHORT_SECONDS < pause <= PAUSE_SECONDS:
            self.paused += pause - SHORT_SECONDS
        return self.follow(replace(frame, time=frame.time - self.paused)) if self.follow else ()

    def around(self) -> set[int]:
        """The faces that are in sight, or may come back."""
        now = self.seen_at - self.paused
        known = self.tracks.items()
        return {
            face
            for face, track in known
            if face != MAIN and now - track.followed_at <= FORGET_SECONDS
        }

    def take(self, whose: int, look: Look) -> _Track:
        """Keep a look at a face; those seen longest ago are forgotten."""
        main = self.tracks.get(MAIN)
        if main and look.time < main.looks[-1].time:
            self.start_over()  # the source's clock was set back
        track = self.tracks.setdefault(whose, _Track())
        track.looks.append(look)
        if len(self.tracks) > 1 + KEPT_FACES:
            faces = (face for face in self.tracks if face != MAIN)
            del self.tracks[min(faces, key=lambda face: self.tracks[face].looks[-1].time)]
        return track

    def looks(self, face: int | None) -> Sequence[Look]:
        """One of every picture: of the face where it was seen, else one without features."""
        track = self.tracks.get(face) if face is not None else None
        own: Sequence[Look] = track.looks if track else ()
        if face == MAIN or MAIN not in self.tracks:
            return own
        known = {look.time: look for look in own}
        return [known.get(look.time, look) for look in self.tracks[MAIN].looks]

    def start_over(self) -> None:
        """Forget the pieces, not the people."""
        self.tracks.clear()
        self.windows.clear()


class Perception:
    """Of all participants, each under a key of its own.

    Args:
        encoder: Encodes pictures and sound.
        new_follower: Makes the follower of a participant's camera; None where neither the faces
            nor the behaviour is wanted.
        measurer: Measures behaviour; None to leave it out.
        observer: Puts it into words; needed with a measurer.
        people: Whether several people share a camera: all faces are looked at then, not the
            largest alone, and all mouths.
    """

    def __init__(
        self,
        encoder: Encoder,
        new_follower: Callable[[], Follow] | None,
        measurer: Measurer | None = None,
        observer: Observer | None = None,
        *,
        people: bool = False,
    ) -> None:
        self._encoder = encoder
        self._new_follower = new_follower
        self._measurer = measurer
        self._observer = observer
        self._people = people
        self._senses: dict[str, _Senses] = {}

    def see(self, pictures: Sequence[tuple[str, VideoFrame]]) -> None:
        """Look at the next pictures of some participants, by their keys.

        Each one's come in the order of time.
        """
        wanted = [(key, frame, face) for key, frame in pictures for face in self._faces(key, frame)]
        looks = self._encoder.look([frame for _, frame, _ in wanted], [face for *_, face in wanted])
        for (key, frame, face), look in zip(wanted, looks, strict=True):
            whose = face.person if self._people and face is not None else MAIN
            track = self._of(key).take(whose, look)
            if self._people and face is not None:
                track.followed_at = face.time
                motion = track.mouth(frame.time, cut_face(frame.image, face, SIDE).image)
                if motion is not None:
                    track.moved.append((frame.time, motion))
            if self._measurer is not None:
                self._glance(track, frame, face, self._measurer)

    def hear(self, key: str, first: int, window: Samples) -> None:
        """Listen to a whole window of sound.

        Args:
            key: Of who speaks.
            first: Its first sample, counted from the start of the media.
            window: (N,) as long as the spec's windows.
        """
        senses = self._of(key)
        senses.windows[first] = self._encoder.hear([window])[0]
        while len(senses.windows) > KEPT_WINDOWS:
            del senses.windows[next(iter(senses.windows))]

    def perceived(self, key: str, utterance: Utterance, face: int | None = MAIN) -> Perceived:
        """What is computed of an utterance.

        Args:
            key: Of who speaks.
            utterance: What they say.
            face: Whose pictures count; None for nobody's.
        """
        senses = self._of(key)
        seen = senses.looks(face)
        looks = _between(seen, utterance.start, utterance.end)
        if not looks:  # a still picture stays on the screen
            looks = _between(seen, utterance.start - SCREEN_SECONDS, utterance.start)[-1:]
        chosen = sample_frames(looks, utterance.start, utterance.end, MAX_FRAMES)
        first = sample_index(utterance.start)
        known = {start - first: row for start, row in senses.windows.items() if start >= first}
        return Perceived(chosen, known)

    def mouths(self, key: str, start: float, end: float) -> dict[int, list[tuple[float, float]]]:
        """Of every face that is seen in [start, end), when the mouth moves how much."""
        return {
            face: [(time, motion) for time, motion in track.moved if start <= time < end]
            for face, track in self._of(key).tracks.items()
            if face != MAIN and _between(track.looks, start, end)
        }

    def around(self, key: str) -> set[int]:
        """The faces of somebody's camera that are in sight, or may come back."""
        return self._of(key).around()

    def behaviour(
        self, key: str, utterance: Utterance, face: int | None = MAIN, *, remember: bool
    ) -> Behaviour | None:
        """What an utterance shows; None where that is not wanted or nothing was seen.

        With `remember` it counts as usual for the participant from then on.
        """
        senses = self._of(key)
        track = senses.tracks.get(face) if face is not None else None
        glances = _between(track.glances, utterance.start, utterance.end) if track else []
        if face == MAIN:
            person = self._participant(key, utterance, glances)
            glances = [glance for glance in glances if glance.person == person]
        if self._observer is None or not glances:
            return None
        motions = [(one.time, one.motion) for one in glances]
        series = collect_glances(
            [(one.time, one.numbers) for one in glances],
            [(time, {"motion_energy": energy}) for time, energy in motions if energy is not None],
        )
        whose = key if face == MAIN else f"{key}/{utterance.participant}"
        senses.described.add(whose)
        return self._observer.describe(whose, series, remember=remember)

    def _participant(
        self, key: str, utterance: Utterance, glances: Sequence[_Glance]
    ) -> int | None:
        """Whose face stands for an utterance: the one that its emotion is read from."""
        looks = self.perceived(key, utterance).looks
        seen = [(look.person, look.weight) for look in looks if look.person]
        # Whole frames are nobody's: there the faces tell that were measured.
        return heaviest(seen or ((glance.person, glance.weight) for glance in glances))

    def forget(self, key: str) -> None:
        """Forget a participant who left."""
        senses = self._senses.pop(key, None)
        if senses is not None and self._observer is not None:
            for whose in senses.described:
                self._observer.forget(whose)

    def _of(self, key: str) -> _Senses:
        if key not in self._senses:
            follow = self._new_follower() if self._new_follower else None
            self._senses[key] = _Senses(follow)
        return self._senses[key]

    def _faces(self, key: str, frame: VideoFrame) -> list[TrackedFace | None]:
        """The faces to look at in the next picture; None for the picture itself."""
        senses = self._of(key)
        if not self._people:
            return [senses.main_face(frame)]
        return [None, *senses.all_faces(frame)]

    def _glance(
        self, track: _Track, frame: VideoFrame, face: TrackedFace | None, measurer: Measurer
    ) -> None:
        """Measure a picture, if the last one that was measured is not too recent."""
        last = track.glances[-1].time if track.glances else -GLANCE_SECONDS
        if face is None or 0 <= frame.time - last < GLANCE_SECONDS - _EARLY:
            return
        pose = not 0 <= frame.time - track.posed_at < POSE_SECONDS - _EARLY
        if pose:
            track.posed_at = frame.time
        numbers = measurer.look(frame, face.box, pose=pose)
        motion = track.motion(frame, face.box)
        track.glances.append(_Glance(frame.time, face.person, face.weight, numbers, motion))


def _between(items: Iterable[_T], start: float, end: float) -> list[_T]:
    """Those of [start, end), in order."""
    listed = list(items)
    first = bisect_left(listed, start, key=lambda item: item.time)
    return listed[first : bisect_left(listed, end, key=lambda item: item.time)]
