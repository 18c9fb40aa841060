"""What is seen and heard of each participant, computed piece by piece while they speak.

Owned by the compute thread. A picture is followed, cut, encoded and measured once, when it
comes; a window of sound when it is full. `perceived` and `behaviour` put the pieces of an
utterance together. All of it is bounded: pictures leave nothing but their numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.behaviour import Behaviour, Observer
from engine.behaviour.movement import MotionMeter
from engine.behaviour.reader import collect_glances
from engine.faces import Box, TrackedFace
from engine.model.perceived import Look, Perceived
from stream.audio import sample_index
from stream.cutter import MAX_FRAMES, SCREEN_SECONDS, sample_frames
from stream.media import Samples, Utterance, VideoFrame

KEPT_LOOKS = 512
"""Of a participant: more than the longest utterance has at 15 pictures a second."""
KEPT_WINDOWS = 64
"""Of a participant: more than the longest utterance has."""
GLANCE_SECONDS = 0.2
"""Between two pictures in which the face is measured ..."""
POSE_SECONDS = 1.0
"""... and the body."""

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
    numbers: Mapping[str, float]
    motion: float | None


@dataclass
class _Senses:
    """Of one participant."""

    follow: Follow | None
    weights: dict[int, float] = field(default_factory=dict)
    looks: deque[Look] = field(default_factory=lambda: deque(maxlen=KEPT_LOOKS))
    glances: deque[_Glance] = field(default_factory=lambda: deque(maxlen=KEPT_LOOKS))
    windows: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    motion: MotionMeter = field(default_factory=MotionMeter)
    posed_at: float = -POSE_SECONDS

    def main_face(self, frame: VideoFrame) -> TrackedFace | None:
        """The face of who was largest so far, if it is in the frame."""
        faces = self.follow(frame) if self.follow else ()
        for face in faces:
            weight = face.box.area * face.score
            self.weights[face.person] = self.weights.get(face.person, 0.0) + weight
        main = max(self.weights, key=self.weights.__getitem__, default=0)
        found = next((face for face in faces if face.person == main), None)
        # Whoever left must not be waited for: the largest of those in sight is the participant.
        return found or max(faces, key=lambda face: face.box.area * face.score, default=None)

    def start_over(self) -> None:
        """Forget the pieces, not the people."""
        self.looks.clear()
        self.glances.clear()
        self.windows.clear()


class Perception:
    """Of all participants, each under a key of its own.

    Args:
        encoder: Encodes pictures and sound.
        new_follower: Makes the follower of a participant's camera; None where faces are not
            wanted.
        measurer: Measures behaviour; None to leave it out.
        observer: Puts it into words; needed with a measurer.
    """

    def __init__(
        self,
        encoder: Encoder,
        new_follower: Callable[[], Follow] | None,
        measurer: Measurer | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._encoder = encoder
        self._new_follower = new_follower
        self._measurer = measurer
        self._observer = observer
        self._senses: dict[str, _Senses] = {}

    def see(self, pictures: Sequence[tuple[str, VideoFrame]]) -> None:
        """Look at the next pictures of some participants, by their keys.

        Each one's come in the order of time.
        """
        faces = [self._of(key).main_face(frame) for key, frame in pictures]
        looks = self._encoder.look([frame for _, frame in pictures], faces)
        for (key, frame), look in zip(pictures, looks, strict=True):
            senses = self._of(key)
            if senses.looks and look.time < senses.looks[-1].time:
                senses.start_over()  # the source's clock was set back
            senses.looks.append(look)
            if self._measurer is not None:
                self._glance(senses, frame, look.box, self._measurer)

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

    def perceived(self, key: str, utterance: Utterance) -> Perceived:
        """What is computed of an utterance."""
        senses = self._of(key)
        looks = _between(senses.looks, utterance.start, utterance.end)
        if not looks:  # a still picture stays on the screen
            looks = _between(senses.looks, utterance.start - SCREEN_SECONDS, utterance.start)[-1:]
        chosen = sample_frames(looks, utterance.start, utterance.end, MAX_FRAMES)
        first = sample_index(utterance.start)
        known = {start - first: row for start, row in senses.windows.items() if start >= first}
        return Perceived(chosen, known)

    def behaviour(self, key: str, utterance: Utterance, *, remember: bool) -> Behaviour | None:
        """What an utterance shows; None where that is not wanted or nothing was seen.

        With `remember` it counts as usual for the participant from then on.
        """
        glances = _between(self._of(key).glances, utterance.start, utterance.end)
        if self._observer is None or not glances:
            return None
        motions = [(one.time, one.motion) for one in glances]
        series = collect_glances(
            [(one.time, one.numbers) for one in glances],
            [(time, {"motion_energy": energy}) for time, energy in motions if energy is not None],
        )
        return self._observer.describe(key, series, remember=remember)

    def forget(self, key: str) -> None:
        """Forget a participant who left."""
        self._senses.pop(key, None)
        if self._observer is not None:
            self._observer.forget(key)

    def _of(self, key: str) -> _Senses:
        if key not in self._senses:
            follow = self._new_follower() if self._new_follower else None
            self._senses[key] = _Senses(follow)
        return self._senses[key]

    def _glance(
        self, senses: _Senses, frame: VideoFrame, box: Box | None, measurer: Measurer
    ) -> None:
        """Measure a picture, if the last one that was measured is not too recent."""
        last = senses.glances[-1].time if senses.glances else -GLANCE_SECONDS
        if box is None or 0 <= frame.time - last < GLANCE_SECONDS - _EARLY:
            return
        pose = not 0 <= frame.time - senses.posed_at < POSE_SECONDS - _EARLY
        if pose:
            senses.posed_at = frame.time
        numbers = measurer.look(frame, box, pose=pose)
        senses.glances.append(_Glance(frame.time, numbers, senses.motion(frame, box)))


def _between(items: Iterable[_T], start: float, end: float) -> list[_T]:
    """Those of [start, end), in order."""
    listed = list(items)
    first = bisect_left(listed, start, key=lambda item: item.time)
    return listed[first : bisect_left(listed, end, key=lambda item: item.time)]
