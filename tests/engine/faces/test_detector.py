"""Tests of the detector with its real weights on a real face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.faces import Box, Face, FaceDetector, Square
from engine.faces.detector import anchors, blend, letterbox
from stream.errors import UserError
from stream.media import Image, VideoFrame


def paste(image: Image, scale: float, x: int, y: int, height: int, width: int) -> Image:
    """A shrunk picture on a grey canvas."""
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.full((height, width, 3), 90, np.uint8)
    canvas[y : y + small.shape[0], x : x + small.shape[1]] = small
    return canvas


def test_a_face_is_found_in_every_frame(detector: FaceDetector, clip: list[VideoFrame]) -> None:
    """One face, with the eyes above the nose above the mouth, all inside the box."""
    for frame in clip[::6]:
        (face,) = detector(frame.image)
        assert face.score > 0.7
        right_eye, left_eye, nose, mouth = face.keypoints[:4]
        assert right_eye[0] < nose[0] < left_eye[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < mouth[1]
        for x, y in (right_eye, left_eye, nose, mouth):
            assert face.box.x0 < x < face.box.x1
            assert face.box.y0 < y < face.box.y1


def test_the_box_follows_the_picture(detector: FaceDetector, clip: list[VideoFrame]) -> None:
    """Shrunk to half and moved, the same face is found where it was put."""
    image = clip[0].image
    (before,) = detector(image)
    (after,) = detector(paste(image, 0.5, 150, 40, 360, 640))
    expected = np.array(before.box) / 2 + [150, 40, 150, 40]
    np.testing.assert_allclose(after.box, expected, atol=0.12 * before.box.side)


@pytest.mark.parametrize("x", [0, 240, 480])
def test_a_small_face_is_found_by_the_tiles(
    detector: FaceDetector, clip: list[VideoFrame], x: int
) -> None:
    """A face too small for one look at the whole is found at the left, middle and right."""
    image = paste(clip[0].image, 0.25, x, 100, 360, 640)
    assert detector.within(image, Square(320, 180, 640)) == []
    (face,) = detector(image)
    assert face.box.centre[0] == pytest.approx(x + 112, abs=12)


def test_an_upright_phone_picture_works(detector: FaceDetector, clip: list[VideoFrame]) -> None:
    """A picture higher than wide is padded at the sides."""
    (face,) = detector(np.ascontiguousarray(clip[0].image[:, 280:620]))
    (reference,) = detector(clip[0].image)
    assert face.box.centre[0] + 280 == pytest.approx(reference.box.centre[0], abs=15)


@pytest.mark.parametrize("shape", [(360, 640, 3), (1, 1, 3), (2, 900, 3)])
@pytest.mark.parametrize("kind", ["black", "white", "noise"])
def test_no_face_is_invented(
    detector: FaceDetector, shape: tuple[int, int, int], kind: str
) -> None:
    """Black, white and noise of any shape have no face and are no error."""
    image = np.full(shape, 255 if kind == "white" else 0, np.uint8)
    if kind == "noise":
        image = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    assert detector(image) == []


def test_looking_outside_the_picture_finds_nothing(
    detector: FaceDetector, clip: list[VideoFrame]
) -> None:
    """A square beyond the edge is black, not an error."""
    assert detector.within(clip[0].image, Square(-500, -500, 200)) == []


def test_anchors_are_the_published_ones() -> None:
    """16x16 cells with 2 and 8x8 cells with 6 anchors, row by row, at the cells' middles."""
    points = anchors()
    assert points.shape == (896, 2)
    np.testing.assert_allclose(points[[0, 1, 2]], [[1 / 32, 1 / 32]] * 2 + [[3 / 32, 1 / 32]])
    np.testing.assert_allclose(points[[512, 517, 518]], [[1 / 16] * 2] * 2 + [[3 / 16, 1 / 16]])
    np.testing.assert_allclose(points.mean(axis=0), 0.5, atol=1e-6)


def test_letterbox_keeps_places() -> None:
    """A white dot ends where its share of the square says."""
    image = np.zeros((100, 200, 3), np.uint8)
    image[40:60, 140:160] = 255
    seen = letterbox(image, Square(100, 50, 200))[..., 0]
    rows, columns = np.nonzero(seen > 127)
    assert rows.mean() == pytest.approx(63.5, abs=1)
    assert columns.mean() == pytest.approx(150 / 200 * 128 - 0.5, abs=1)
    assert not seen[:32].any()
    assert not seen[96:].any()


def test_blend_averages_one_face_and_keeps_two() -> None:
    """Boxes of one face become their weighted mean; another face stays apart."""
    points = np.zeros((6, 2), np.float32)
    faces = [
        Face(Box(100, 0, 110, 10), 0.6, points),
        Face(Box(0, 0, 10, 10), 0.9, points),
        Face(Box(3, 0, 13, 10), 0.45, points),
    ]
    first, second = blend(faces)
    assert first.box == pytest.approx((1, 0, 11, 10))
    assert first.score == 0.9
    assert second.box == (100, 0, 110, 10)


@pytest.mark.parametrize("content", [None, b"", b"<html>", b"TFL3" * 100])
def test_a_bad_model_file_is_explained(tmp_path: Path, content: bytes | None) -> None:
    """A missing or damaged file names the command that fetches it."""
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"export\.models blazeface"):
        FaceDetector(path)
