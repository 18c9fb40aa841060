"""Tests of measuring faces at rest."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from engine.behaviour.landmarks import FaceLandmarker
from engine.faces import FaceDetector, crop_face
from export.models import resolve
from stream.errors import UserError
from training.datasets.fer2013 import Fer2013
from training.datasets.labels import MELD_LABELS
from training.measure_neutral import clear, main, measure, report, spread

CLIP = Path(__file__).parents[2] / "demo" / "talk.mp4"


@pytest.fixture(scope="module")
def networks() -> tuple[FaceDetector, FaceLandmarker]:
    """Detector and landmarks, with the weights of `make setup`."""
    try:
        return (
            FaceDetector(resolve("blazeface", offline=True)),
            FaceLandmarker(resolve("face-landmarks", offline=True)),
        )
    except UserError as error:
        pytest.skip(str(error))


def test_small_grey_faces_are_measured(networks: tuple[FaceDetector, FaceLandmarker]) -> None:
    """Of crops as FER2013 has them: the shut eyes of the demo are less open than those later."""
    with av.open(str(CLIP)) as container:
        images = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    crops = []
    for index in (55, 360):
        crop = crop_face(images[index], networks[0](images[index])[0].box, 48)
        crops.append(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY))
    shut, opened = (numbers["eye_opening"] for numbers in measure(crops, *networks))
    assert shut < 0.15 < opened


def test_what_is_no_face_is_left_out(networks: tuple[FaceDetector, FaceLandmarker]) -> None:
    """Black pictures have no numbers."""
    assert measure([np.zeros((48, 48), np.uint8)] * 2, *networks) == []


def test_the_spread_is_robust() -> None:
    """Median, and 1.4826 times the median absolute deviation; one wild value changes neither."""
    assert spread([1.0, 2.0, 3.0, 4.0, 1000.0]) == (3.0, pytest.approx(1.4826))


def test_only_clear_labels_count() -> None:
    """More than 70 % of the votes."""
    votes = np.zeros((3, len(MELD_LABELS)), np.float32)
    votes[:, 0] = 0.6, 0.8, 1.0
    images = np.arange(3, dtype=np.uint8)[:, None, None].repeat(48, 1).repeat(48, 2)
    data = Fer2013(images, np.zeros(3, np.int64), votes, np.zeros(3, np.int64), np.ones(3, bool))
    assert sorted(int(picture[0, 0]) for picture in clear(data, 0, 10, 0)) == [1, 2]
    assert len(list(clear(data, 0, 1, 0))) == 1


def test_the_table_is_in_deviations_from_neutral() -> None:
    """A label without faces has no figure."""
    neutral = [{"lip_gap": value} for value in (0.0, 1.0, 2.0)]
    joy = [{"lip_gap": 1.0 + 2 * 1.4826}]
    _, row = report({"neutral": neutral, "joy": joy, "fear": []})
    assert row.split() == ["lip_gap", "1.000", "1.483", "+0.0", "+2.0", "+nan"]


def test_a_missing_data_set_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends with 2 and one line."""
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")
