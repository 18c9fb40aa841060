"""Tests from pictures to sentences, with the real networks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from drawn_people import HEAD_X, person, warped
from prepared import weights

from engine.behaviour import Baseline, Behaviour, BehaviourReader
from engine.behaviour.landmarks import FaceLandmarker
from engine.behaviour.reader import FACE_FRAMES, MAX_SIDE, POSE_FRAMES
from engine.faces import Box
from stream.media import Image, VideoFrame

MOUTH_CORNERS = (61, 291)


def at_rate(images: list[Image], start: float = 0.0, step: float = 0.2) -> list[VideoFrame]:
    """Pictures at a steady rate."""
    return [VideoFrame(start + step * index, image) for index, image in enumerate(images)]


def test_eyes_that_close_are_told(reader: BehaviourReader, clip: list[VideoFrame]) -> None:
    """In the demo's first 2.5 s they do, for the larger part; the moment says when."""
    seen = reader.read(clip, Baseline())
    assert "yes closed" in seen.facial_expression
    (closed,) = (moment for moment in seen.moments if moment.words == "eyes closed")
    assert closed.part == "facial_expression"
    assert 0.4 < closed.start < 1.2
    assert closed.end > 2
    assert seen.posture == "Head somewhat turned to the right."


def test_the_same_pictures_give_the_same_words(
    reader: BehaviourReader, clip: list[VideoFrame]
) -> None:
    """Reading is deterministic and does not change the baseline."""
    baseline = Baseline()
    first, second = reader.read(clip, baseline), reader.read(clip, baseline)
    assert first == second
    assert baseline.frames("lip_gap") == 0


def test_a_mouth_that_is_warped_up_is_told(
    reader: BehaviourReader,
    landmarker: FaceLandmarker,
    clip: list[VideoFrame],
    box: Box,
) -> None:
    """Relative to the same face as it is; lowered corners are told as such."""
    images = [frame.image for frame in clip[:4]]
    baseline = Baseline()
    usual = reader.read(at_rate(images), baseline).measures
    for _ in range(16):
        baseline.update(usual)
    assert "corners" not in reader.read(at_rate(images), baseline).facial_expression
    face = landmarker(images[0], box)
    assert face is not None
    for dy, words in ((-0.10, "Mouth corners lifted"), (0.16, "Mouth corners lowered")):
        changed = [warped(image, face, MOUTH_CORNERS, dy) for image in images]
        assert words in reader.read(at_rate(changed), baseline).facial_expression


def test_a_hand_at_the_face_and_sloping_shoulders_are_told(
    reader: BehaviourReader, clip: list[VideoFrame]
) -> None:
    """From a drawn body below a real face."""
    pictures = [person(clip[0].image, hand=(HEAD_X - 22, 150))] * 3
    assert "Right hand at the face" in reader.read(at_rate(pictures), Baseline()).body_language
    level = reader.read(at_rate([person(clip[0].image)] * 3), Baseline())
    assert "shoulders level" in level.posture
    assert "hand" not in level.body_language


def test_without_the_pose_network_nothing_is_said_of_the_body(clip: list[VideoFrame]) -> None:
    """The face is told as ever."""
    reader = BehaviourReader(weights("face-landmarks"), None, weights("blazeface"))
    seen = reader.read(at_rate([person(clip[0].image)] * 3), Baseline())
    assert seen.facial_expression
    assert "shoulder" not in seen.posture
    assert "shoulder_slope" not in seen.measures


def test_what_moves_without_a_face_is_nobody(reader: BehaviourReader) -> None:
    """A detector may take a pattern for a face; the landmarks do not, and nothing is said."""
    noise = np.random.default_rng(1).integers(0, 60, (4, 192, 192, 3), np.uint8)
    frames = at_rate(list(noise))
    assert reader.measure(frames, [Box(60, 60, 132, 132)] * 4) == {}


def test_the_work_is_bounded(reader: BehaviourReader, clip: list[VideoFrame]) -> None:
    """Of many frames a stated number is looked at, from the first to the last."""
    frames = at_rate([person(clip[0].image)] * 100, start=7.0, step=0.05)
    measures = reader.read(frames, Baseline()).measures
    assert len(measures["head_yaw"].times) == FACE_FRAMES
    assert len(measures["shoulder_slope"].times) == POSE_FRAMES
    assert measures["head_yaw"].times[0] == 7.0
    assert measures["head_yaw"].times[-1] == pytest.approx(7 + 99 * 0.05)


def test_known_boxes_are_taken_as_they_are(
    reader: BehaviourReader, clip: list[VideoFrame], box: Box
) -> None:
    """No face is looked for then; also in a picture that is shrunk first."""
    frames = at_rate([frame.image for frame in clip[:3]])
    boxes = [box, None, box]
    known = reader.read(frames, Baseline(), boxes).measures
    assert known["head_yaw"].times == (frames[0].time, frames[2].time)
    large = [np.repeat(np.repeat(frame.image, 4, axis=0), 4, axis=1) for frame in frames]
    around = [None if one is None else Box(*(4 * edge for edge in one)) for one in boxes]
    big = reader.read(at_rate(large), Baseline(), around).measures
    assert big["head_yaw"].values == pytest.approx(known["head_yaw"].values, abs=3)
    assert reader.read(frames, Baseline(), [None] * 3) == Behaviour()
    with pytest.raises(ValueError, match="zip"):
        reader.read(frames, Baseline(), [box])


def test_a_huge_picture_reads_like_a_small_one(
    reader: BehaviourReader, clip: list[VideoFrame]
) -> None:
    """It is shrunk first, and what is measured does not depend on the size."""
    image = clip[0].image
    large = np.repeat(np.repeat(image, 8, axis=0), 8, axis=1)
    assert max(large.shape) > 2 * MAX_SIDE
    small, big = (
        reader.read(at_rate([picture] * 2), Baseline()).measures for picture in (image, large)
    )
    for name in ("head_yaw", "brow_height", "lip_gap"):
        tolerance = 3 if name == "head_yaw" else 0.03
        assert big[name].values[0] == pytest.approx(small[name].values[0], abs=tolerance)


@pytest.mark.parametrize(
    "shape", [(1, 1, 3), (0, 0, 3), (1, 5000, 3), (9000, 1, 3), (300, 400, 3), (48, 48), (4, 4, 4)]
)
@pytest.mark.parametrize("kind", ["black", "white", "noise"])
def test_hostile_pictures_say_nothing(
    reader: BehaviourReader, shape: tuple[int, ...], kind: str
) -> None:
    """No shape and no content raises; without a face every sentence is empty."""
    draw = np.random.default_rng(1)
    images = {
        "black": np.zeros(shape, np.uint8),
        "white": np.full(shape, 255, np.uint8),
        "noise": draw.integers(0, 256, shape, dtype=np.uint8),
    }
    assert reader.read(at_rate([images[kind]] * 2), Baseline()) == Behaviour()


def test_no_frames_say_nothing(reader: BehaviourReader) -> None:
    """An utterance without pictures is no error."""
    assert reader.read([], Baseline()) == Behaviour()


def test_broken_frames_between_good_ones_are_skipped(
    reader: BehaviourReader, clip: list[VideoFrame]
) -> None:
    """Black frames and frames of another kind do not hide what the others show."""
    bad = [np.zeros((360, 640, 3), np.uint8), np.zeros((5, 5), np.uint8)]
    images = [clip[0].image, *bad, clip[1].image, clip[2].image]
    seen = reader.read(at_rate(images), Baseline())
    assert len(seen.measures["head_yaw"].times) == 3


def test_frames_at_one_time_do_not_raise(reader: BehaviourReader, clip: list[VideoFrame]) -> None:
    """A broken clock gives every frame the same time."""
    frozen = [dataclasses.replace(frame, time=3.0) for frame in clip[:6]]
    assert reader.read(frozen, Baseline()).text
    assert reader.read(frozen[:1], Baseline()).text == ""
