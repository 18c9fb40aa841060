"""Tests of the numbers of a body, with made-up points and a drawn body."""

from __future__ import annotations

import math

import numpy as np
import pytest
from drawn_people import HEAD_X, person

from engine.behaviour.body_measures import body_measures
from engine.behaviour.head import Head, head_of
from engine.behaviour.landmarks import FaceLandmarker, FaceLandmarks
from engine.behaviour.pose import Point, PoseLandmarker, PoseLandmarks
from engine.faces import Box, FaceDetector
from stream.media import VideoFrame

BOX = Box(270, 50, 370, 150)
PLACES = {
    Point.NOSE: (320, 110),
    Point.RIGHT_SHOULDER: (220, 250),
    Point.LEFT_SHOULDER: (420, 250),
    Point.RIGHT_ELBOW: (200, 350),
    Point.LEFT_ELBOW: (440, 350),
    Point.RIGHT_WRIST: (210, 450),
    Point.LEFT_WRIST: (430, 450),
    Point.RIGHT_INDEX: (210, 480),
    Point.LEFT_INDEX: (430, 480),
}


def body(
    moved: dict[Point, tuple[float, float]] | None = None,
    hidden: tuple[Point, ...] = (),
    turn: float = 0.0,
) -> PoseLandmarks:
    """Arms hanging down, with some points moved or hidden, turned by some degrees."""
    points, visibility = np.zeros((33, 2), np.float32), np.zeros(33, np.float32)
    for point, place in (PLACES | (moved or {})).items():
        points[point] = place
        visibility[point] = 0.0 if point in hidden else 0.9
    metres = np.zeros((33, 3), np.float32)
    half = 0.18 * np.array([math.cos(math.radians(turn)), 0, math.sin(math.radians(turn))])
    metres[Point.RIGHT_SHOULDER], metres[Point.LEFT_SHOULDER] = -half, half
    return PoseLandmarks(points, metres, visibility, 1.0)


def measures(pose: PoseLandmarks) -> dict[str, float]:
    """With a face whose outer eye corners are 60 pixels apart, 20 above the nose."""
    points = np.zeros((468, 3), np.float32)
    points[33], points[263] = (290, 90, 0), (350, 90, 0)
    face = FaceLandmarks(points, points[[33, 263], :2], 1.0)
    head = Head(0, 0, 0, points, points[[33, 263], :2], 60.0)
    return body_measures(pose, face, head, BOX)


def test_the_numbers_of_a_plain_body() -> None:
    """Worked out by hand: shoulders 200 apart, the eyes 160 above, hands 4 heads below."""
    found = measures(body())
    assert found["head_size"] == pytest.approx(0.3)
    assert found["neck_length"] == pytest.approx(0.8)
    assert found["shoulder_slope"] == found["shoulder_turn"] == pytest.approx(0)
    assert found["left_hand_height"] == pytest.approx(-1)
    assert found["right_hand_x"] == pytest.approx(-0.55)
    assert found["right_hand_face"] == pytest.approx(math.hypot(1.1, 3.5))
    assert found["arms_apart"] > 1


def test_a_lower_shoulder_slopes() -> None:
    """The person's left shoulder, on the right of the picture, is lower: positive."""
    found = measures(body({Point.LEFT_SHOULDER: (420, 285)}))
    assert found["shoulder_slope"] == pytest.approx(math.degrees(math.atan2(35, 200)))


@pytest.mark.parametrize("turn", [-30.0, 20.0])
def test_a_turn_of_the_shoulders_is_measured(turn: float) -> None:
    """The left shoulder further away: turned to the own left."""
    assert measures(body(turn=turn))["shoulder_turn"] == pytest.approx(turn, abs=0.1)


def test_what_is_hidden_is_not_told() -> None:
    """Without a shoulder nothing of the trunk, without a hand nothing of the hand."""
    shoulder = measures(body(hidden=(Point.LEFT_SHOULDER,)))
    assert set(shoulder) == {"left_hand_face", "right_hand_face"}
    hand = measures(body(hidden=(Point.LEFT_WRIST, Point.LEFT_INDEX)))
    assert not any(name.startswith("left_hand") for name in hand)
    assert "right_hand_height" in hand
    assert "arms_apart" not in hand


def test_turned_shoulders_measure_no_lengths() -> None:
    """Seen from the side, their width in the picture says nothing of their size."""
    found = measures(body(turn=70))
    assert "shoulder_turn" in found
    assert not {"head_size", "neck_length", "arms_apart"} & set(found)


def test_crossed_arms_bring_wrists_to_elbows() -> None:
    """Each wrist at the other arm's elbow."""
    crossed = {Point.LEFT_WRIST: (215, 345), Point.RIGHT_WRIST: (425, 345)}
    assert measures(body(crossed))["arms_apart"] < 0.2


@pytest.mark.parametrize(("out", "told"), [(0.2, False), (0.6, True)])
def test_hands_held_out_are_both_beyond_the_shoulders(out: float, told: bool) -> None:
    """By so many shoulder widths; hands that hang are not held out, nor is one alone."""
    places = {Point.LEFT_WRIST: (420 + 200 * out, 380), Point.RIGHT_WRIST: (220 - 200 * out, 380)}
    assert (measures(body(places))["hands_out"] >= 0.9) == told
    one = {Point.LEFT_WRIST: places[Point.LEFT_WRIST]}
    assert measures(body(one))["hands_out"] < 0.9
    assert "hands_out" not in measures(body(places, hidden=(Point.RIGHT_WRIST,)))


def test_shoulders_that_coincide_do_not_raise() -> None:
    """A body of less than a pixel has no numbers of the trunk."""
    tiny = body({Point.LEFT_SHOULDER: (220, 250)})
    assert "head_size" not in measures(tiny)


def test_a_drawn_body_is_measured(
    pose: PoseLandmarker,
    detector: FaceDetector,
    landmarker: FaceLandmarker,
    clip: list[VideoFrame],
) -> None:
    """From pixels to numbers: sloping shoulders slope, a hand at the chin is near the face."""
    found = []
    for image in (
        person(clip[0].image, left_lower=15),
        person(clip[0].image, left_lower=-15),
        person(clip[0].image, hand=(HEAD_X - 22, 150)),
    ):
        box = detector(image)[0].box
        face, drawn = landmarker(image, box), pose(image, box)
        assert face is not None
        assert drawn is not None
        head = head_of(face, *image.shape[:2])
        assert head is not None
        found.append(body_measures(drawn, face, head, box))
    down, up, hand = found
    assert down["shoulder_slope"] > 3 > -2 > up["shoulder_slope"]
    assert hand["right_hand_face"] < 1
    assert "left_hand_face" not in hand
