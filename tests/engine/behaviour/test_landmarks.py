"""Tests of the points of a face, on a real one: what holds whatever the face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.behaviour.landmarks import EYE_CORNERS, LIDS, FaceLandmarker, FaceLandmarks
from engine.faces import Box, FaceDetector
from stream.media import Image, VideoFrame

NOSE, CHIN, FOREHEAD = 4, 152, 10
MIRRORED = {33: 263, 133: 362, 61: 291, 105: 334, 234: 454, NOSE: NOSE, CHIN: CHIN}


def find(landmarker: FaceLandmarker, image: Image, box: Box) -> FaceLandmarks:
    """The points of a face that must be found."""
    face = landmarker(image, box)
    assert face is not None
    return face


def test_points_lie_in_the_order_of_a_face(
    landmarker: FaceLandmarker, clip: list[VideoFrame], detector: FaceDetector
) -> None:
    """Forehead, eyes, nose and chin from above, right to left, inside the box or near."""
    for frame in clip[::20]:
        (found,) = detector(frame.image)
        face = find(landmarker, frame.image, found.box)
        assert face.presence > 0.9
        x, y = face.points[:, 0], face.points[:, 1]
        assert y[FOREHEAD] < y[33] < y[NOSE] < y[13] <= y[14] < y[CHIN]
        assert x[33] < x[133] < x[NOSE] < x[362] < x[263]
        margin = 0.3 * found.box.side
        assert found.box.x0 - margin < x.min() < x.max() < found.box.x1 + margin
        assert found.box.y0 - margin < y.min() < y.max() < found.box.y1 + margin
        right_eye, left_eye = found.keypoints[:2]
        for iris, eye in zip(face.irises, (right_eye, left_eye), strict=True):
            assert np.linalg.norm(iris - eye) < 0.08 * found.box.side


def test_an_iris_lies_between_the_corners_of_its_eye(
    landmarker: FaceLandmarker, clip: list[VideoFrame], box: Box
) -> None:
    """The networks of mesh and iris agree on both eyes."""
    face = find(landmarker, clip[0].image, box)
    for iris, (outer, inner) in zip(face.irises, EYE_CORNERS, strict=True):
        low, high = sorted([face.points[outer, 0], face.points[inner, 0]])
        assert low < iris[0] < high


def test_the_mirror_image_mirrors_the_points(
    landmarker: FaceLandmarker, clip: list[VideoFrame], detector: FaceDetector, box: Box
) -> None:
    """The right eye of a mirrored face is where the left one was."""
    face = find(landmarker, clip[0].image, box)
    mirrored = np.ascontiguousarray(clip[0].image[:, ::-1])
    other = find(landmarker, mirrored, detector(mirrored)[0].box)
    tolerance = 0.04 * box.side
    for point, twin in MIRRORED.items():
        x, y = face.points[point, :2]
        np.testing.assert_allclose(other.points[twin, :2], [640 - x, y], atol=tolerance)
    expected = np.stack([640 - face.irises[::-1, 0], face.irises[::-1, 1]], axis=1)
    np.testing.assert_allclose(other.irises, expected, atol=tolerance)


@pytest.mark.parametrize(("scale", "dx", "dy"), [(1.0, 40, -30), (0.5, 100, 60), (1.7, 0, 0)])
def test_the_points_follow_the_picture(
    landmarker: FaceLandmarker,
    clip: list[VideoFrame],
    box: Box,
    scale: float,
    dx: int,
    dy: int,
) -> None:
    """Moved and scaled, the same points are found where they were put."""
    matrix = np.array([[scale, 0, dx], [0, scale, dy]], np.float32)
    moved = np.asarray(cv2.warpAffine(clip[0].image, matrix, (1100, 640)), np.uint8)
    new_box = Box(*(scale * edge + shift for edge, shift in zip(box, (dx, dy) * 2, strict=True)))
    before = find(landmarker, clip[0].image, box)
    after = find(landmarker, moved, new_box)
    tolerance = 0.03 * new_box.side
    expected = before.points[:, :2] * scale + [dx, dy]
    assert np.abs(after.points[:, :2] - expected).mean() < tolerance
    np.testing.assert_allclose(after.irises, before.irises * scale + [dx, dy], atol=tolerance)


def test_a_tilted_face_gives_tilted_points(
    landmarker: FaceLandmarker, clip: list[VideoFrame], box: Box
) -> None:
    """Turned by 30 degrees, points are those of the upright face, turned."""
    x, y = box.centre
    matrix = cv2.getRotationMatrix2D((x, y), 30, 1.0)
    turned = np.asarray(cv2.warpAffine(clip[0].image, matrix, (640, 360)), np.uint8)
    before = find(landmarker, clip[0].image, box).points[:, :2]
    after = find(landmarker, turned, box).points[:, :2]
    expected = before @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(after - expected).mean() < 0.04 * box.side


def test_the_lids_of_both_networks_correspond(
    landmarker: FaceLandmarker, clip: list[VideoFrame], box: Box
) -> None:
    """Each lid keeps its corner, and the lower lid is below the upper one."""
    points = find(landmarker, clip[0].image, box).points
    for lids in LIDS:
        lower, upper = points[list(lids[1:8]), 1].mean(), points[list(lids[9:]), 1].mean()
        assert upper < lower


def test_no_face_has_no_points(landmarker: FaceLandmarker) -> None:
    """Black, noise and a single pixel have none, wherever one looks."""
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    for image in (np.zeros((200, 200, 3), np.uint8), noise, noise[:1, :1]):
        for box in (Box(50, 50, 150, 150), Box(-900, -900, -890, -890), Box(5, 5, 5, 5)):
            assert landmarker(np.ascontiguousarray(image), box) is None
