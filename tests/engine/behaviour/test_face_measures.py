"""Tests of the numbers of a face: on made-up shapes, and on a real face that is warped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_people import warped

from engine.behaviour.face_measures import (
    EYE_RATIO_POINTS,
    MAX_YAW,
    eye_aspect_ratio,
    face_measures,
    gaze,
)
from engine.behaviour.head import Head, head_of
from engine.behaviour.landmarks import FaceLandmarker
from engine.faces import Box
from stream.media import Image, VideoFrame


@pytest.fixture(scope="module")
def head(landmarker: FaceLandmarker, clip: list[VideoFrame], box: Box) -> Head:
    """Of the first frame."""
    return measured_head(landmarker, clip[0].image, box)


def measured_head(landmarker: FaceLandmarker, image: Image, box: Box) -> Head:
    """Of a face that must be found."""
    face = landmarker(image, box)
    assert face is not None
    head = head_of(face, *image.shape[:2])
    assert head is not None
    return head


@pytest.mark.parametrize(
    ("measure", "points", "dy"),
    [
        ("corner_lift", (61, 291), -0.08),
        ("corner_lift", (61, 291), 0.08),
        ("brow_height", (46, 53, 52, 65, 55, 107, 276, 283, 282, 295, 285, 336), -0.08),
        ("corner_slant", (291,), -0.08),
    ],
)
def test_a_warped_face_changes_its_measure(
    landmarker: FaceLandmarker,
    clip: list[VideoFrame],
    box: Box,
    head: Head,
    measure: str,
    points: tuple[int, ...],
    dy: float,
) -> None:
    """Points moved in the picture move the number, in the right direction."""
    image = clip[0].image
    face = landmarker(image, box)
    assert face is not None
    changed = measured_head(landmarker, warped(image, face, points, dy), box)
    # The face is turned to the front before it is measured; of a turned one slants are not told.
    before, after = (face_measures(replace(one, yaw=0.0))[measure] for one in (head, changed))
    difference = after - before
    assert -difference / dy > 0.1


def test_closed_eyes_are_less_open(
    landmarker: FaceLandmarker, clip: list[VideoFrame], box: Box
) -> None:
    """In the demo the eyes are half open at first and shut 2.3 s later."""
    first, last = (
        face_measures(measured_head(landmarker, clip[index].image, box))["eye_opening"]
        for index in (0, 55)
    )
    assert last < 0.1 < first


def test_the_eye_aspect_ratio_is_the_published_one() -> None:
    """A diamond four wide and two high at two places has a ratio of a half."""
    face = np.zeros((468, 3), np.float32)
    p1, p2, p3, p4, p5, p6 = EYE_RATIO_POINTS[1]
    face[[p1, p4], 0] = 0, 4
    face[[p2, p3, p5, p6], :2] = [[1, -1], [3, -1], [3, 1], [1, 1]]
    assert eye_aspect_ratio(face, 1) == pytest.approx(0.5)
    assert eye_aspect_ratio(face * 7, 1) == pytest.approx(0.5)


def test_an_eye_without_width_does_not_raise() -> None:
    """Points that coincide give 0, not a division by zero."""
    assert eye_aspect_ratio(np.zeros((468, 3), np.float32), 0) == 0


@pytest.mark.parametrize(("dx", "dy"), [(0.1, 0.0), (-0.2, 0.05), (0.0, -0.1)])
def test_gaze_follows_the_irises(head: Head, dx: float, dy: float) -> None:
    """To the right of the picture is the person's left; down in the picture is down."""
    width = float(np.linalg.norm(head.frontal[33, :2] - head.frontal[133, :2]))
    moved = replace(head, irises=head.irises + np.array([dx, dy], np.float32) * width)
    before, after = gaze(head), gaze(moved)
    assert after[0] - before[0] == pytest.approx(dx, abs=0.03)
    assert after[1] - before[1] == pytest.approx(-dy, abs=0.03)


@pytest.mark.parametrize(("yaw", "told"), [(0, True), (14, True), (16, False), (-25, False)])
def test_a_slanted_mouth_is_not_told_of_a_turned_head(head: Head, yaw: float, told: bool) -> None:
    """Beyond 15 degrees perspective pulls one corner up; the rest is told as ever."""
    measures = face_measures(replace(head, yaw=yaw))
    assert ("corner_slant" in measures) == told
    assert "corner_lift" in measures


def test_a_face_turned_away_has_only_angles(head: Head) -> None:
    """Of a profile, distances in the hidden half are not told."""
    away = replace(head, yaw=MAX_YAW + 1)
    assert set(face_measures(away)) == {"head_yaw", "head_pitch", "head_roll"}
