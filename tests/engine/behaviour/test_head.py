"""Tests of a head's direction, with points of the canonical face put before a camera."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.behaviour.head import RIGID, head_of
from engine.behaviour.landmarks import FaceLandmarker, FaceLandmarks
from engine.faces import Box
from stream.media import VideoFrame

HEIGHT, WIDTH = 480, 640


def canonical(rotation: NDArray[np.float64], shift: tuple[float, float] = (0, 0)) -> FaceLandmarks:
    """The rigid points, turned, half a metre away, as a camera of this focal length sees them."""
    placed = np.array(list(RIGID.values())) @ rotation.T + [*shift, 50.0]
    points = np.zeros((468, 3), np.float32)
    points[list(RIGID), :2] = placed[:, :2] / placed[:, 2:] * WIDTH + [WIDTH / 2, HEIGHT / 2]
    points[list(RIGID), 2] = (placed[:, 2] - 50) * WIDTH / 50
    return FaceLandmarks(points, points[[33, 263], :2], 1.0)


def turned(yaw: float = 0, pitch: float = 0, roll: float = 0) -> NDArray[np.float64]:
    """Rotation of a head: degrees to its own left, up, tilted to its own left."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z, np.float64)


@pytest.mark.parametrize("name", ["yaw", "pitch", "roll"])
@pytest.mark.parametrize("degrees", [-30.0, -10.0, 0.0, 20.0, 35.0])
def test_a_known_turn_is_measured(name: str, degrees: float) -> None:
    """Each angle alone is found to the tenth of a degree, and the others are 0."""
    head = head_of(canonical(turned(**{name: degrees})), HEIGHT, WIDTH)
    assert head is not None
    expected = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0} | {name: degrees}
    assert {key: getattr(head, key) for key in expected} == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("yaw", [-30.0, 0.0, 30.0])
def test_the_frontal_face_does_not_change_with_the_turn(yaw: float) -> None:
    """The same face has the same frontal shape, wherever it looks and stands in the picture."""
    straight = head_of(canonical(turned()), HEIGHT, WIDTH)
    other = head_of(canonical(turned(yaw, 10, 15), (3.0, -2.0)), HEIGHT, WIDTH)
    assert straight is not None
    assert other is not None
    rigid = list(RIGID)
    np.testing.assert_allclose(other.frontal[rigid], straight.frontal[rigid], atol=0.1)
    assert other.interocular == pytest.approx(straight.interocular, rel=0.1)


def test_a_real_face_that_is_tilted_is_measured(
    landmarker: FaceLandmarker, clip: list[VideoFrame], box: Box
) -> None:
    """Turning the picture by 20 degrees clockwise tilts the head by that to its own left."""
    image = clip[0].image
    matrix = cv2.getRotationMatrix2D(box.centre, -20, 1.0)
    rolls = []
    for picture in (image, cv2.warpAffine(image, matrix, (640, 360))):
        face = landmarker(np.asarray(picture, np.uint8), box)
        assert face is not None
        head = head_of(face, *image.shape[:2])
        assert head is not None
        rolls.append(head.roll)
    assert rolls[1] - rolls[0] == pytest.approx(20, abs=4)


def test_the_mirror_image_looks_the_other_way(
    landmarker: FaceLandmarker, clip: list[VideoFrame], box: Box
) -> None:
    """The demo's face is turned to its own right; mirrored, to the left by as much."""
    yaws = []
    mirrored_box = Box(640 - box.x1, box.y0, 640 - box.x0, box.y1)
    for image, where in ((clip[0].image, box), (clip[0].image[:, ::-1].copy(), mirrored_box)):
        face = landmarker(image, where)
        assert face is not None
        head = head_of(face, *image.shape[:2])
        assert head is not None
        yaws.append(head.yaw)
    assert yaws[0] < -10
    assert yaws[1] == pytest.approx(-yaws[0], abs=4)


@pytest.mark.parametrize("fill", [0.0, 100.0])
def test_points_that_fit_no_head_have_no_direction(fill: float) -> None:
    """All points at one place are refused without an exception."""
    face = FaceLandmarks(np.full((468, 3), fill, np.float32), np.zeros((2, 2), np.float32), 1.0)
    assert head_of(face, HEIGHT, WIDTH) is None
