"""Real networks and a real face: the weights of `make setup` and the demo clip."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from prepared import weights

from engine.behaviour import BehaviourReader
from engine.behaviour.landmarks import FaceLandmarker
from engine.behaviour.pose import PoseLandmarker
from engine.faces import Box, FaceDetector
from stream.media import VideoFrame

CLIP = Path(__file__).parents[3] / "demo" / "talk.mp4"


@pytest.fixture(scope="session")
def detector() -> FaceDetector:
    """The face detector."""
    return FaceDetector(weights("blazeface"))


@pytest.fixture(scope="session")
def landmarker() -> FaceLandmarker:
    """Finds points of faces."""
    return FaceLandmarker(weights("face-landmarks"))


@pytest.fixture(scope="session")
def pose() -> PoseLandmarker:
    """Finds points of bodies."""
    return PoseLandmarker(weights("pose"))


@pytest.fixture(scope="session")
def reader() -> BehaviourReader:
    """All of it."""
    return BehaviourReader(weights("face-landmarks"), weights("pose"), weights("blazeface"))


@pytest.fixture(scope="session")
def clip() -> list[VideoFrame]:
    """The first 2.5 s of a face, 640x360 at 24 frames a second: the eyes close after 0.8 s."""
    with av.open(str(CLIP)) as container:
        frames = []
        for frame in container.decode(video=0):
            frames.append(VideoFrame(float(frame.time or 0.0), frame.to_ndarray(format="rgb24")))
            if len(frames) == 60:
                break
    return frames


@pytest.fixture(scope="session")
def box(clip: list[VideoFrame], detector: FaceDetector) -> Box:
    """Of the face in the first frame."""
    return detector(clip[0].image)[0].box
