"""The participant's face over an utterance, cut out of every frame that shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.faces.crop import FER2013_FRAMING, Framing, crop_face, crop_quality
from engine.faces.detector import FaceDetector
from engine.faces.follower import FaceFollower, TrackedFace
from engine.faces.geometry import Box
from engine.faces.main import MainFace, heaviest
from stream.media import Image, VideoFrame


@dataclass(frozen=True, eq=False)
class FaceCrop:
    """The participant's face in one frame."""

    image: Image
    """Shape (S, S, 3), RGB."""
    quality: float
    """0 to 1; see `crop_quality`."""
    box: Box
    """The face in the frame, smoothed over the time up to it."""


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """The participant's face over an utterance."""

    crops: tuple[FaceCrop | None, ...]
    """One per frame; None where the face is not to be seen."""
    quality: float
    """Mean quality over all frames, 0 to 1; a frame without the face counts 0."""


def track_faces(
    frames: Sequence[VideoFrame],
    detector: FaceDetector,
    size: int,
    framing: Framing = FER2013_FRAMING,
) -> FaceTrack:
    """Follow everybody in an utterance and cut the main person out of every frame.

    The boxes are those that a live `FaceFollower` started with the utterance has.

    Args:
        frames: In the order of time.
        detector: Finds the faces.
        size: Side of the crops in pixels.
        framing: How much around the face the crops show.
    """
    crops = [
        None if face is None else cut_face(frame.image, face, size, framing)
        for frame, face in zip(frames, main_faces(frames, detector), strict=True)
    ]
    total = sum(crop.quality for crop in crops if crop is not None)
    return FaceTrack(tuple(crops), total / max(1, len(crops)))


def main_faces(frames: Sequence[VideoFrame], detector: FaceDetector) -> list[TrackedFace | None]:
    """The main person's face in each frame of an utterance; None where it is not to be seen.

    As live: of each frame the face that is the main one so far, and of these the person who
    weighs most over the utterance.
    """
    follower, choose = FaceFollower(detector), MainFace()
    chosen = [choose(follower(frame), frame.time) for frame in frames]
    main = main_person(face for face in chosen if face is not None)
    return [face if face is not None and face.person == main else None for face in chosen]


def main_person(sightings: Iterable[TrackedFace]) -> int | None:
    """Who is nearest and longest to be seen: the greatest sum of `TrackedFace.weight`.

    Args:
        sightings: Of any people, in any order.

    Returns:
        The person, of equals the one who came first; None without sightings.
    """
    return heaviest((face.person, face.weight) for face in sightings)


def cut_face(
    image: Image, face: TrackedFace, size: int, framing: Framing = FER2013_FRAMING
) -> FaceCrop:
    """Cut a tracked face out of its frame.

    Args:
        image: Of the frame, shape (H, W, 3), RGB.
        face: Where it is.
        size: Side of the crop in pixels.
        framing: How much around the face the crop shows.
    """
    crop = crop_face(image, face.box, size, framing)
    quality = crop_quality(crop, framing.scale * face.box.side, face.score)
    return FaceCrop(crop, quality, face.box)
