"""What is a face and what is not: real networks, the face of the demo clip."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.faces import Box, FaceDetector, FaceFollower
from engine.faces.presence import KEPT_PRESENCE, MIN_PRESENCE, FacePresence, Presence
from export.models import resolve
from stream.errors import UserError
from stream.media import Image, VideoFrame


@pytest.fixture(scope="module")
def presence() -> FacePresence:
    """The landmark network."""
    try:
        return FacePresence(resolve("face-landmarks", offline=True))
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def checked() -> FaceDetector:
    """The detector as the live engine has it."""
    try:
        return FaceDetector(
            resolve("blazeface", offline=True), resolve("face-landmarks", offline=True)
        )
    except UserError as error:
        pytest.skip(str(error))


def turned(image: Image, box: Box, degrees: float) -> Image:
    """A picture turned around a face."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(box.centre, degrees, 1)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height)), np.uint8)


@pytest.mark.parametrize("degrees", [0, 20, -20, 40, -40])
def test_an_upright_or_tilted_face_is_one(
    presence: FacePresence, checked: FaceDetector, clip: list[VideoFrame], degrees: float
) -> None:
    """Somebody who tilts the head stays."""
    box = checked(clip[0].image)[0].box
    assert presence(turned(clip[0].image, box, degrees), box).begins


@pytest.mark.parametrize("degrees", [90, -90, 135, 180, -150])
def test_a_face_that_lies_or_stands_on_its_head_is_none(
    presence: FacePresence, checked: FaceDetector, clip: list[VideoFrame], degrees: float
) -> None:
    """Although the detector finds it."""
    box = checked(clip[0].image)[0].box
    seen = presence(turned(clip[0].image, box, degrees), box)
    assert not seen.begins
    assert not seen.lasts


@pytest.mark.parametrize("scale", [0.15, 0.3])
@pytest.mark.parametrize("light", [1.0, 0.25])
def test_a_small_or_dim_face_is_one(
    presence: FacePresence,
    checked: FaceDetector,
    clip: list[VideoFrame],
    scale: float,
    light: float,
) -> None:
    """A face of 20 or 40 pixels, in a quarter of the light."""
    box = checked(clip[0].image)[0].box
    small = cv2.resize(clip[0].image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    dim = np.asarray(small * light, np.uint8)
    assert presence(dim, Box(*(scale * edge for edge in box))).begins


@pytest.mark.parametrize("place", [(0, 0), (500, 220)])
def test_a_wall_is_no_face(
    presence: FacePresence, clip: list[VideoFrame], place: tuple[int, int]
) -> None:
    """Corners of the demo clip."""
    x, y = place
    assert not presence(clip[0].image, Box(x, y, x + 120, y + 120)).lasts


def test_a_face_is_kept_longer_than_it_is_begun() -> None:
    """In between, what was a face stays one; upside down nothing does."""
    between = (MIN_PRESENCE + KEPT_PRESENCE) / 2
    assert not Presence(between).begins
    assert Presence(between).lasts
    assert not Presence(1.0, upright=False).lasts


def test_a_folder_without_the_network_names_the_next_step(tmp_path: Path) -> None:
    """One line, with the command."""
    with pytest.raises(UserError, match=r"export\.models face-landmarks"):
        FacePresence(tmp_path)


def test_an_upside_down_film_has_no_face(checked: FaceDetector, clip: list[VideoFrame]) -> None:
    """None in any picture of two seconds, and as many as pictures the right way up."""
    upright, flipped = FaceFollower(checked), FaceFollower(checked)
    assert all(len(upright(frame)) == 1 for frame in clip)
    turned_round = [np.ascontiguousarray(frame.image[::-1, ::-1]) for frame in clip]
    frames = [
        VideoFrame(frame.time, image) for frame, image in zip(clip, turned_round, strict=True)
    ]
    assert not any(flipped(frame) for frame in frames)
