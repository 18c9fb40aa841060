"""Tests of loading a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from prepared import weights

from engine.behaviour.landmarks import FaceLandmarker
from engine.behaviour.network import Network, sigmoid
from engine.behaviour.pose import PoseLandmarker
from stream.errors import UserError


@pytest.mark.parametrize("content", [None, b"", b"this is no network", b"\x18\0\0\0TFL3" * 20])
def test_a_file_that_is_no_network_names_the_next_step(
    tmp_path: Path, content: bytes | None
) -> None:
    """Missing, empty or damaged: one line that says what to run."""
    path = tmp_path / "face_landmark.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"python -m export\.models face-landmarks"):
        Network(path, 192, {}, "face-landmarks")


def test_another_network_is_refused() -> None:
    """The pose detector is not taken for the face mesh, by its input or its outputs."""
    path = weights("pose") / "pose_detection.tflite"
    with pytest.raises(UserError, match="another network"):
        Network(path, 192, {}, "face-landmarks")
    with pytest.raises(UserError, match="another network"):
        Network(path, 224, {"Identity": (1, 3)}, "pose")


def test_a_folder_without_networks_is_refused(tmp_path: Path) -> None:
    """Both kinds of landmarks say which model to fetch."""
    with pytest.raises(UserError, match="face-landmarks"):
        FaceLandmarker(tmp_path)
    with pytest.raises(UserError, match="models pose"):
        PoseLandmarker(tmp_path)


def test_the_sigmoid_stays_finite() -> None:
    """Also of logits that overflow float32."""
    values = sigmoid(np.array([-1e30, 0, 1e30], np.float32))
    np.testing.assert_allclose(values, [0, 0.5, 1], atol=1e-6)
