"""The benchmark measures every part on a real face, and refuses a film without one."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.behaviour import main
from export.models import resolve
from stream.errors import UserError

PICTURES = 64
"""So many, of which few are looked at, that following the face is a large part of the time."""
CLIP = Path(__file__).parents[2] / "demo" / "talk.mp4"


@pytest.fixture(autouse=True)
def _weights() -> None:
    """Skips where `make setup` has not fetched them."""
    try:
        for name in ("face-landmarks", "pose", "blazeface"):
            resolve(name, offline=True)
    except UserError as error:
        pytest.skip(str(error))


def film(path: Path, source: Path | None) -> Path:
    """Two seconds of grey, or of another film."""
    grey = [np.full((360, 640, 3), 128, np.uint8)] * PICTURES
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=PICTURES // 2)
        stream.width, stream.height = 640, 360
        stream.bit_rate = 2_000_000
        for picture in grey if source is None else first_pictures(source):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    return path


def first_pictures(source: Path) -> list[np.ndarray]:
    """As many as are needed."""
    with av.open(str(source)) as container:
        decoded = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
        return [picture for _, picture in zip(range(PICTURES), decoded, strict=False)]


def test_every_part_has_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Known boxes save the tracking."""
    path = str(film(tmp_path / "face.mp4", CLIP))
    assert main([path, "--seconds", "2", "--json"]) == 0
    parts = json.loads(capsys.readouterr().out)
    assert all(milliseconds > 0 for milliseconds in parts.values())
    known = parts["behaviour, one utterance with known faces"]
    assert parts["points of the face, one frame"] < known < parts["behaviour, one utterance"]


def test_a_film_without_a_face_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing to measure."""
    assert main([str(film(tmp_path / "grey.mp4", None))]) == 2
    assert "no face" in capsys.readouterr().err
