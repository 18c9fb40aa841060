"""Tests of mouth motion, on drawn faces and on the demo clip, and of choosing who speaks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.faces import FaceDetector, FaceFollower, MouthMotion, choose_speaker, cut_face
from engine.faces.talking import GAP_SECONDS, LARGEST_MOTION, MOVING
from stream.media import Image, VideoFrame

FRAME = 1 / 15
Track = list[tuple[float, float]]


def face(opened: float, x: float = 0.0, y: float = 0.0, light: float = 1.0) -> Image:
    """A drawn face, (48, 48, 3): the mouth open by some pixels, moved, and lit."""
    big = np.full((384, 384), 90, np.uint8)
    cv2.ellipse(big, (192, 200), (130, 170), 0, 0, 360, 180, -1)
    for eye in (130, 254):
        cv2.ellipse(big, (eye, 150), (28, 14), 0, 0, 360, 240, -1)
        cv2.circle(big, (eye, 150), 11, 40, -1)
        cv2.line(big, (eye - 34, 118), (eye + 34, 112), 70, 8)
    cv2.line(big, (192, 150), (180, 220), 140, 8)
    cv2.ellipse(big, (192, 290), (52, 8 + round(8 * opened)), 0, 0, 360, 60, -1)
    matrix = np.array([[1, 0, 8 * x], [0, 1, 8 * y]])
    moved = cv2.warpAffine(big, matrix, (384, 384), borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(moved, (48, 48), interpolation=cv2.INTER_AREA) * light
    return np.repeat(np.clip(small, 0, 255).astype(np.uint8)[:, :, None], 3, 2)


def mean_motion(picture: Callable[[float], Image], frames: int = 45) -> float:
    """Of three seconds of pictures of a time."""
    motion = MouthMotion()
    found = [motion(FRAME * index, picture(FRAME * index)) for index in range(frames)]
    known = [value for value in found if value is not None]
    assert len(known) == frames - 1
    return sum(known) / len(known)


def syllables(time: float) -> float:
    """Pixels by which a mouth that says four syllables a second is open."""
    return 2 * (1 - math.cos(8 * math.pi * time))


def nod(time: float) -> dict[str, float]:
    """A head that moves by two pixels back and forth, once a second."""
    return {"x": math.sin(6.3 * time), "y": 0.7 * math.cos(6.3 * time)}


def test_a_talking_mouth_moves_and_a_still_one_does_not() -> None:
    """Far above the bound, and nothing at all."""
    assert mean_motion(lambda time: face(syllables(time))) > 1.5 * MOVING
    assert mean_motion(lambda _: face(1.0)) == 0


def test_a_moving_head_is_no_talking_mouth() -> None:
    """A head that nods and a light that changes move the mouth along with the face."""
    nodding = mean_motion(lambda time: face(1.0, **nod(time), light=1 + 0.1 * math.sin(3 * time)))
    talking = mean_motion(lambda time: face(syllables(time), **nod(time)))
    assert nodding < MOVING
    assert talking > 3 * nodding


def test_contrast_and_size_do_not_matter() -> None:
    """In half the light, in grey or cut out larger, the same mouth moves as much."""
    plain = mean_motion(lambda time: face(syllables(time)))
    dark = mean_motion(lambda time: face(syllables(time), light=0.5))
    grey = mean_motion(lambda time: face(syllables(time))[:, :, 0])
    large = mean_motion(lambda time: cv2.resize(face(syllables(time)), (96, 96)))
    assert dark == pytest.approx(plain, rel=0.1)
    assert grey == pytest.approx(plain, rel=1e-6)
    assert large == pytest.approx(plain, rel=0.2)


def test_the_first_crop_and_one_after_a_gap_have_no_motion() -> None:
    """There is nothing to compare them with, nor where time stands still."""
    motion = MouthMotion()
    assert motion(1.0, face(0)) is None
    assert motion(1.0, face(4)) is None
    assert motion(1.1, face(0)) is not None
    assert motion(1.2 + GAP_SECONDS, face(4)) is None


def test_another_picture_counts_only_so_much() -> None:
    """A hand before the face is one crop with a bounded motion; grey is no motion."""
    motion = MouthMotion()
    noise = np.random.default_rng(0).integers(0, 255, (48, 48, 3), np.uint8)
    pictures = [face(0), noise, np.full((48, 48, 3), 128, np.uint8), noise[::-1]]
    found = [motion(FRAME * index, picture) for index, picture in enumerate(pictures)]
    assert all(value is not None and 0 <= value <= LARGEST_MOTION for value in found[1:])


def test_a_real_face_moves_and_its_still_copy_does_not(
    detector: FaceDetector, clip: list[VideoFrame]
) -> None:
    """In the demo clip's first second the face moves a little, beside a still copy of it."""
    follower, motions, tracks = FaceFollower(detector), (MouthMotion(), MouthMotion()), ([], [])
    for frame in clip[:24]:
        both = np.hstack([frame.image[:, 160:], clip[0].image[:, 160:]])
        for tracked in follower(VideoFrame(frame.time, both)):
            side = int(tracked.box.centre[0] > 480)
            crop = cut_face(both, tracked, 48).image
            tracks[side].append(motions[side](frame.time, crop))
    moving, still = ([value for value in track if value is not None] for track in tracks)
    assert len(moving) == len(still) == 23
    assert sum(moving) / 23 > 5 * sum(still) / 23
    assert sum(still) / 23 < 0.1


def track(value: float, start: float = 0.0, end: float = 4.0, quiet: float | None = None) -> Track:
    """Motion at 15 crops a second, another one where `speech` is silent."""
    times = np.arange(start, end, FRAME).tolist()
    return [(t, value if quiet is None or 1 <= t + 0.2 < 3 else quiet) for t in times]


def speech() -> Track:
    """Silence but from 1 s to 3 s."""
    return [(t, 0.9 if 1 <= t < 3 else 0.05) for t in np.arange(0.016, 4, 0.032).tolist()]


Case = tuple[dict[int, Sequence[tuple[float, float]]], tuple[int | None, bool]]
CASES: dict[str, Case] = {
    "one moves": ({1: track(0.2), 2: track(2.0, quiet=0.5)}, (2, True)),
    "alone": ({3: track(2.0, quiet=0.5)}, (3, True)),
    "nobody moves": ({1: track(0.2), 2: track(0.3)}, (None, False)),
    "both move": ({1: track(1.7, quiet=0.5), 2: track(2.0, quiet=0.5)}, (2, False)),
    "one moves in silence too": ({1: track(2.0), 2: track(2.2, quiet=0.3)}, (2, True)),
    "the other is hidden": ({1: track(2.0, quiet=0.5), 2: track(0.1, 0, 1.2)}, (1, False)),
    "the other was not seen": ({1: track(2.0, quiet=0.5), 2: []}, (1, False)),
    "too few crops": ({1: track(2.0, 1.0, 1.2)}, (None, False)),
    "equal": ({2: track(2.0), 1: track(2.0)}, (1, False)),
    "nobody is there": ({}, (None, False)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_who_speaks(case: Case) -> None:
    """The mouth that moves with the speech and clearly more than any other."""
    motions, expected = case
    assert choose_speaker(motions, speech(), 0.8, 3.1) == expected


def test_without_speech_nobody_speaks() -> None:
    """A mouth that moves in silence, or in a stretch of which nothing is heard, says nothing."""
    assert choose_speaker({1: track(2.0)}, speech(), 3.2, 4.0) == (None, False)
    assert choose_speaker({1: track(2.0)}, [], 0.8, 3.1) == (None, False)


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(
        st.integers(1, 4),
        st.lists(st.tuples(st.floats(0, 4), st.floats(0, 4)), max_size=40).map(sorted),
    )
)
def test_the_order_of_people_does_not_matter(motions: dict[int, Track]) -> None:
    """The answer is one of the people or nobody, and never sure of nobody."""
    person, sure = choose_speaker(motions, speech(), 0.8, 3.1)
    backwards = dict(reversed(motions.items()))
    assert choose_speaker(backwards, speech(), 0.8, 3.1) == (person, sure)
    assert person in {*motions, None}
    assert not (person is None and sure)
