"""Tests of measuring how pictures frame a face."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from engine.faces import FaceDetector, Framing, crop_face
from export.models import resolve
from stream.errors import UserError
from training.measure_framing import main, measure

CLIP = Path(__file__).parents[2] / "demo" / "talk.mp4"


@pytest.fixture
def detector() -> FaceDetector:
    """The detector that the live engine uses."""
    try:
        return FaceDetector(resolve("blazeface", offline=True))
    except UserError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("framing", [Framing(1.2, -0.1), Framing(1.5, 0.05)])
def test_a_known_framing_is_measured(detector: FaceDetector, framing: Framing) -> None:
    """Crops made with a framing are measured to have about that framing."""
    with av.open(str(CLIP)) as container:
        images = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][::60]
    crops = [crop_face(image, detector(image)[0].box, 48, framing) for image in images]
    found = measure([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops], detector)
    assert found.rate == 1
    assert found.framing.scale == pytest.approx(framing.scale, rel=0.1)
    assert found.framing.offset_y == pytest.approx(framing.offset_y, abs=0.06)


def test_pictures_without_a_face_are_counted(detector: FaceDetector) -> None:
    """What is no face lowers the rate and changes nothing else."""
    found = measure([np.zeros((48, 48), np.uint8)] * 3, detector)
    assert found.images == 3
    assert found.rate == 0


def test_a_missing_data_set_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends with 2 and one line."""
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")
