"""A real detector and real faces: the weights of `make setup` and the demo clip."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from engine.faces import FaceDetector
from export.models import resolve
from stream.errors import UserError
from stream.media import VideoFrame

CLIP = Path(__file__).parents[3] / "demo" / "talk.mp4"


@pytest.fixture(scope="session")
def detector() -> FaceDetector:
    """The detector that the live engine uses."""
    try:
        return FaceDetector(resolve("blazeface", offline=True))
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def clip() -> list[VideoFrame]:
    """Two seconds of a talking face, 640x360 at 24 frames a second."""
    with av.open(str(CLIP)) as container:
        frames = []
        for frame in container.decode(video=0):
            frames.append(VideoFrame(float(frame.time or 0.0), frame.to_ndarray(format="rgb24")))
            if len(frames) == 48:
                break
    return frames
