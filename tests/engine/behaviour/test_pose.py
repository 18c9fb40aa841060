"""Tests of the points of a body: a drawn trunk below a real face."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_people import HEAD_X, NECK_Y, person

from engine.behaviour.pose import Point, PoseLandmarker, PoseLandmarks
from engine.faces import Box, FaceDetector
from stream.media import Image, VideoFrame


def find(pose: PoseLandmarker, detector: FaceDetector, image: Image) -> PoseLandmarks:
    """The body below the face of a picture, which must be found."""
    body = pose(image, detector(image)[0].box)
    assert body is not None
    return body


def test_shoulders_are_found_where_they_are(
    pose: PoseLandmarker, detector: FaceDetector, clip: list[VideoFrame]
) -> None:
    """Both, visible, at about the drawn height, the person's right one on the left."""
    body = find(pose, detector, person(clip[0].image))
    assert body.sees(Point.RIGHT_SHOULDER, Point.LEFT_SHOULDER)
    right, left = body.points[Point.RIGHT_SHOULDER], body.points[Point.LEFT_SHOULDER]
    np.testing.assert_allclose(right, [HEAD_X - 95, NECK_Y + 45], atol=25)
    np.testing.assert_allclose(left, [HEAD_X + 95, NECK_Y + 45], atol=25)
    metres = body.metres[Point.LEFT_SHOULDER] - body.metres[Point.RIGHT_SHOULDER]
    assert 0.2 < metres[0] < 0.6
    assert abs(metres[2]) < 0.15


def test_what_is_not_in_the_picture_is_not_visible(
    pose: PoseLandmarker, detector: FaceDetector, clip: list[VideoFrame], box: Box
) -> None:
    """Of a close-up the face is seen and no shoulder, elbow or wrist; nor drawn arms that end."""
    body = pose(clip[0].image, box)
    assert body is not None
    assert body.sees(Point.NOSE)
    for point in (Point.LEFT_SHOULDER, Point.RIGHT_SHOULDER, Point.LEFT_WRIST, Point.RIGHT_WRIST):
        assert not body.sees(point)
    assert not find(pose, detector, person(clip[0].image)).sees(Point.RIGHT_WRIST)


def test_a_hand_is_found_where_it_is(
    pose: PoseLandmarker, detector: FaceDetector, clip: list[VideoFrame]
) -> None:
    """A hand drawn in front of the chest is that of the right arm."""
    hand = (HEAD_X - 20, NECK_Y + 110)
    body = find(pose, detector, person(clip[0].image, hand=hand))
    assert body.sees(Point.RIGHT_WRIST)
    np.testing.assert_allclose(body.points[Point.RIGHT_WRIST], hand, atol=35)


def test_the_body_of_the_asked_face_is_found(
    pose: PoseLandmarker, detector: FaceDetector, clip: list[VideoFrame]
) -> None:
    """Of two people each is found by the own face; a place without a face has nobody."""
    one = person(clip[0].image)
    both = np.ascontiguousarray(np.hstack([one[:, 100:600], one[:, 100:600]]))
    x, y = HEAD_X - 100, 130
    for left in (0, 500):
        body = pose(both, Box(left + x - 45, y - 45, left + x + 45, y + 45))
        assert body is not None
        assert abs(body.points[Point.NOSE, 0] - (left + x)) < 30
    assert pose(both, Box(480, 380, 520, 420)) is None


def test_the_points_follow_the_picture(
    pose: PoseLandmarker, detector: FaceDetector, clip: list[VideoFrame]
) -> None:
    """In a larger picture with a margin, the same body is found where it was put."""
    image = person(clip[0].image)
    before = find(pose, detector, image)
    canvas = np.full((600, 800, 3), 60, np.uint8)
    canvas[120:, 100:740] = image
    after = find(pose, detector, canvas)
    points = [Point.NOSE, Point.RIGHT_SHOULDER, Point.LEFT_SHOULDER]
    np.testing.assert_allclose(after.points[points], before.points[points] + [100, 120], atol=15)


@pytest.mark.parametrize("shape", [(1, 1), (2, 900), (200, 200)])
def test_nobody_has_no_points(pose: PoseLandmarker, shape: tuple[int, int]) -> None:
    """Black pictures of any shape have nobody, wherever one looks."""
    for box in (Box(0, 0, 100, 100), Box(3, 3, 3, 3)):
        assert pose(np.zeros((*shape, 3), np.uint8), box) is None
