"""Tests of the table of faces that are found, on a few crops of the demo clip."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from benchmarks.face_presence import CASES, Case, main, scores, shown, shuffled, table
from engine.faces import FaceDetector, crop_face
from engine.faces.presence import MIN_PRESENCE
from export.models import resolve
from stream.errors import UserError
from stream.media import Image

CLIP = Path(__file__).parents[2] / "demo" / "talk.mp4"


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    """With landmarks."""
    try:
        return FaceDetector(*(resolve(name, offline=True) for name in NETWORKS))
    except UserError as error:
        pytest.skip(str(error))


NETWORKS = ("blazeface", "face-landmarks")


@pytest.fixture(scope="module")
def crop(detector: FaceDetector) -> Image:
    """The face of the demo clip as FER2013 has faces: (48, 48) grey."""
    with av.open(str(CLIP)) as film:
        picture = next(film.decode(video=0)).to_ndarray(format="rgb24")
    face = crop_face(picture, detector(picture)[0].box, 48)
    return np.asarray(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), np.uint8)


def test_a_face_is_one_upright_alone(detector: FaceDetector, crop: Image) -> None:
    """Large, small and dark; not upside down, where the detector finds it."""

    def score(case: Case) -> float:
        return max(scores([crop], detector, lambda one: shown(one, case)), default=0.0)

    for case in (Case("large"), Case("small", side=64), Case("dark", light=0.25)):
        assert score(case) >= MIN_PRESENCE
    assert score(Case("upside down", roll=180)) < MIN_PRESENCE


def test_every_case_has_a_row(detector: FaceDetector, crop: Image) -> None:
    """And the pieces; shares fall as the threshold rises."""
    header, _, *rows = table([crop], detector)
    assert len(rows) == len(CASES) + 1
    for row in rows:
        shares = [int(cell.split()[0]) for cell in row.strip("| ").split(" | ")[1:]]
        assert shares == sorted(shares, reverse=True)
        assert row.count("|") == header.count("|")


def test_pieces_are_those_of_the_face(crop: Image) -> None:
    """In another order."""
    mixed = shuffled(crop, np.random.default_rng(0))
    assert not np.array_equal(mixed, crop)
    assert np.array_equal(np.sort(mixed, axis=None), np.sort(crop, axis=None))


def test_missing_data_is_said_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the code of a user's mistake."""
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")
