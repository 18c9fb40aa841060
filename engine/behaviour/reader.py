"""Observed behaviour of one utterance, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from engine.behaviour.baseline import Baseline
from engine.behaviour.body_measures import body_measures
from engine.behaviour.face_measures import face_measures
from engine.behaviour.findings import find, is_still
from engine.behaviour.head import head_of
from engine.behaviour.landmarks import FaceLandmarker
from engine.behaviour.measures import Series, collect
from engine.behaviour.movement import motion_energy
from engine.behaviour.pose import PoseLandmarker
from engine.behaviour.rules import BODY, FACE, POSTURE, Part
from engine.behaviour.words import sentence, spoken
from engine.faces import Box, FaceDetector, track_faces
from stream.media import VideoFrame

_T = TypeVar("_T")

FACE_FRAMES = 20
"""Most frames of an utterance in which the face is looked at, evenly spread."""
MIN_LOOKS = 2
"""Frames with the face that it takes to describe anything."""
POSE_FRAMES = 4
"""Most frames of those in which the body is looked at. With both, an utterance takes at most
0.35 s of one core where its faces are tracked already; see docs/behaviour.md."""
MAX_SIDE = 1920
"""Longer side in pixels above which a picture is shrunk first."""
TRACK_SIDE = 32
"""Side of the face tracker's crops, which are not used here."""


@dataclass(frozen=True)
class Moment:
    """What a part of a sentence is drawn from."""

    part: Part
    """The sentence."""
    words: str
    """The part of it."""
    start: float
    """Media seconds of the first frame that shows it."""
    end: float
    """Media seconds of the last one."""


@dataclass(frozen=True)
class Behaviour:
    """What an utterance shows. Observable behaviour: no emotion, no guess at inner states."""

    facial_expression: str = ""
    """One sentence; empty where no face was seen."""
    body_language: str = ""
    """Movements; empty where nothing of it was seen."""
    posture: str = ""
    """How head, shoulders and trunk are held; empty where nothing of it was seen."""
    moments: tuple[Moment, ...] = ()
    """In the order of the sentences."""
    measures: Mapping[str, Series] = field(default_factory=dict)
    """The numbers, by the names of `engine.behaviour.measures.MEASURES` and of the hands."""
    untimed: Mapping[str, str] = field(default_factory=dict)
    """The sentences without times: a model that learns to describe cannot know these."""

    @property
    def text(self) -> str:
        """The sentences, joined by blanks; empty where nothing was seen."""
        return " ".join(filter(None, (self.facial_expression, self.body_language, self.posture)))


class BehaviourReader:
    """Reads behaviour from pictures, on one thread. Not for several threads at once.

    On one core about 0.2 s for the face in 20 frames and 0.12 s for the body in 4.
    """

    def __init__(self, face_landmarks: Path, pose: Path | None, detector: Path) -> None:
        """Load the networks.

        Args:
            face_landmarks: The prepared model `face-landmarks`.
            pose: The prepared model `pose`; None to leave the body out.
            detector: The prepared model `blazeface`.

        Raises:
            UserError: If a file is missing or is another network.
        """
        self._detector = FaceDetector(detector, face_landmarks)
        self._face = FaceLandmarker(face_landmarks)
        self._pose = None if pose is None else PoseLandmarker(pose)

    def read(
        self,
        frames: Sequence[VideoFrame],
        baseline: Baseline,
        boxes: Sequence[Box | None] | None = None,
    ) -> Behaviour:
        """Put what the main face and its body do into words.

        Args:
            frames: In the order of time; others than (H, W, 3) pictures are ignored.
            baseline: What is usual for this person, from earlier utterances. It is not
                changed: `baseline.update(behaviour.measures)` takes this utterance in.
            boxes: The face in each frame as `track_faces` of all of them has it, where that
                has been done already; None to do it here.

        Raises:
            ValueError: Frames and boxes are not as many.
        """
        known = [None] * len(frames) if boxes is None else boxes
        seen = [pair for pair in zip(frames, known, strict=True) if _is_picture(pair[0])]
        if boxes is None:
            seen = self._tracked([frame for frame, _ in seen])
        chosen = [_bounded(frame, box) for frame, box in _spread(seen, FACE_FRAMES)]
        series = self.measure([frame for frame, _ in chosen], [box for _, box in chosen])
        return self.describe(series, baseline)

    def describe(self, series: Mapping[str, Series], baseline: Baseline) -> Behaviour:
        """Put the numbers of an utterance into words.

        Args:
            series: As `measure` gives them, or `collect_glances` of a live camera.
            baseline: What is usual for this person, from earlier utterances.

        Returns:
            Without words where fewer than `MIN_LOOKS` frames show the face: a poster that a film
            cuts to has no behaviour.
        """
        if "head_yaw" not in series or len(series["head_yaw"].times) < MIN_LOOKS:
            return Behaviour(measures=series)
        findings = find(series, baseline)
        still = is_still(series, baseline)
        parts: tuple[Part, ...] = (FACE, BODY, POSTURE)
        return Behaviour(
            **{part: sentence(part, findings, series, still=still) for part in parts},
            untimed={
                part: sentence(part, findings, series, still=still, timed=False) for part in parts
            },
            moments=tuple(
                Moment(part, finding.words, finding.start, finding.end)
                for part in parts
                for finding in spoken(part, findings)
            ),
            measures=series,
        )

    def measure(
        self, frames: Sequence[VideoFrame], boxes: Sequence[Box | None]
    ) -> dict[str, Series]:
        """The numbers of some frames.

        Args:
            frames: In the order of time.
            boxes: The person's face in each; None where it is not seen.

        Returns:
            See `collect_glances`.
        """
        seen = [index for index, box in enumerate(boxes) if box is not None]
        with_pose = set(_spread(seen, POSE_FRAMES))
        numbers: list[tuple[float, Mapping[str, float]]] = []
        for index in seen:
            frame, box = frames[index], boxes[index]
            if box is not None:
                numbers.append((frame.time, self.look(frame, box, pose=index in with_pose)))
        energies = [
            (time, {"motion_energy": value}) for time, value in motion_energy(frames, boxes)
        ]
        return collect_glances(numbers, energies)

    def look(self, frame: VideoFrame, box: Box, *, pose: bool) -> Mapping[str, float]:
        """The numbers of one frame: of the face in a box and, if wanted, of the body below it.

        About 12 ms of one core, and 30 ms more for the body. Nothing where the landmarks find no
        face in the box.
        """
        frame, bounded = _bounded(frame, box)
        return {} if bounded is None else self._look(frame, bounded, pose)

    def _tracked(self, frames: Sequence[VideoFrame]) -> list[tuple[VideoFrame, Box | None]]:
        """Frames with the main face in each."""
        crops = track_faces(frames, self._detector, TRACK_SIDE).crops
        boxes = [None if crop is None else crop.box for crop in crops]
        return list(zip(frames, boxes, strict=True))

    def _look(self, frame: VideoFrame, box: Box, with_pose: bool) -> Mapping[str, float]:
        """The numbers of one frame."""
        face = self._face(frame.image, box)
        head = None if face is None else head_of(face, *frame.image.shape[:2])
        if face is None or head is None:
            return {}
        measures = face_measures(head)
        if self._pose is not None and with_pose:
            pose = self._pose(frame.image, box)
            if pose is not None:
                measures |= body_measures(pose, face, head, box)
        return measures


def collect_glances(
    faces: Sequence[tuple[float, Mapping[str, float]]],
    motions: Sequence[tuple[float, Mapping[str, float]]],
) -> dict[str, Series]:
    """The numbers of frames as series.

    Args:
        faces: Media seconds of a frame, and what `BehaviourReader.look` said of it.
        motions: Media seconds of a frame, and its motion energy.

    Returns:
        Nothing where no frame has a face by the landmarks: a detector may take a pattern for
        one, and what moves there is nobody.
    """
    if not any(measures for _, measures in faces):
        return {}
    return collect(faces) | collect(motions)


def _is_picture(frame: VideoFrame) -> bool:
    return frame.image.ndim == 3 and frame.image.shape[2] == 3 and frame.image.size > 0


def _spread(items: Sequence[_T], count: int) -> list[_T]:
    """At most `count` of some items, evenly spread, with the first and the last."""
    if len(items) <= count:
        return list(items)
    return [items[index] for index in np.linspace(0, len(items) - 1, count).round().astype(int)]


def _bounded(frame: VideoFrame, box: Box | None) -> tuple[VideoFrame, Box | None]:
    """The same picture, no larger than `MAX_SIDE`, and the box in it."""
    height, width = frame.image.shape[:2]
    scale = MAX_SIDE / max(height, width)
    if scale >= 1:
        return frame, box
    size = max(1, round(width * scale)), max(1, round(height * scale))
    shrunk = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
    shrunk_box = None if box is None else Box(*(scale * edge for edge in box))
    return VideoFrame(frame.time, np.asarray(shrunk, np.uint8)), shrunk_box
