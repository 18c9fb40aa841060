"""Tests of the measured teacher, with the real networks on a real face."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest

from engine.behaviour import BehaviourReader, Observer
from export.models import resolve
from stream.errors import UserError
from stream.media import VideoFrame
from training.describe.description import Description, UtteranceKey
from training.describe.measured import NO_FACE, MeasuredTeacher
from training.describe.teacher import Failure, Request, Teacher

CLIP = Path(__file__).parents[3] / "demo" / "talk.mp4"


@pytest.fixture(scope="module")
def frames() -> tuple[VideoFrame, ...]:
    """Three seconds of a face, eight frames a second."""
    with av.open(str(CLIP)) as container:
        decoded = [
            VideoFrame(float(frame.time or 0), frame.to_ndarray(format="rgb24"))
            for index, frame in enumerate(container.decode(video=0))
            if index % 3 == 0 and index < 72
        ]
    return tuple(decoded)


@pytest.fixture
def teacher() -> MeasuredTeacher:
    """A new one, without any baseline."""
    try:
        for name in ("face-landmarks", "pose", "blazeface"):
            resolve(name, offline=True)
    except UserError as error:
        pytest.skip(str(error))
    return MeasuredTeacher.load()


def request(
    frames: tuple[VideoFrame, ...], utterance: int = 0, dialogue: str = "1", speaker: str = "Ann"
) -> Request:
    """An utterance with pictures."""
    return Request(UtteranceKey("own", "train", dialogue, utterance), speaker, "Hm.", (), frames)


def test_it_is_a_teacher(teacher: MeasuredTeacher) -> None:
    """With the name of its option, and a version that only the rules change."""
    taught: Teacher = teacher
    assert taught.name == "measured"
    assert taught.batch >= 1
    assert taught.prompt_version == teacher.prompt_version
    assert taught.prompt_version.startswith("rules-")


def test_changed_rules_are_another_version(
    teacher: MeasuredTeacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that descriptions made by the old ones are made again."""
    before = teacher.prompt_version
    monkeypatch.setattr("training.describe.measured.RULES", ())
    assert teacher.prompt_version != before


def test_a_face_is_described(teacher: MeasuredTeacher, frames: tuple[VideoFrame, ...]) -> None:
    """What the clip shows: closing eyes in a head turned to its right."""
    (answer,) = teacher.describe([request(frames)])
    assert isinstance(answer, Description)
    assert "yes" in answer.facial_expression
    assert "right" in answer.posture


def test_a_description_has_no_times(
    teacher: MeasuredTeacher, frames: tuple[VideoFrame, ...]
) -> None:
    """They are in live events alone: nothing that stage 1 reads tells them."""
    (answer,) = teacher.describe([request(frames)])
    assert isinstance(answer, Description)
    assert not re.search(r"\d", answer.text())
    live = Observer(BehaviourReader(*map(resolve, ("face-landmarks", "pose", "blazeface"))))
    assert re.search(r"from \d\.\d s to", live("Ann", frames).text)


def test_a_poster_has_no_description(
    teacher: MeasuredTeacher, frames: tuple[VideoFrame, ...]
) -> None:
    """A face in a single frame, as a film cuts to a picture on a wall."""
    blank = [VideoFrame(frame.time, np.zeros_like(frame.image)) for frame in frames]
    poster = (*blank[:8], frames[8], *blank[9:])
    assert teacher.describe([request(poster)]) == [Failure(NO_FACE, final=True)]


def test_pictures_without_a_face_fail_for_good(teacher: MeasuredTeacher) -> None:
    """A failure in its place, which is not asked again; hostile pictures do not raise."""
    black = tuple(VideoFrame(float(i), np.zeros((64, 64, 3), np.uint8)) for i in range(3))
    dot = (VideoFrame(0.0, np.zeros((1, 1, 3), np.uint8)),)
    expected = [Failure(NO_FACE, final=True)] * 3
    assert teacher.describe([request(black), request(dot, 1), request((), 2)]) == expected


def test_a_speaker_has_a_baseline_in_a_dialogue(
    teacher: MeasuredTeacher, frames: tuple[VideoFrame, ...]
) -> None:
    """What a speaker always does is no longer told; it is of another speaker or dialogue."""
    few = frames[9::4]
    first, *later = teacher.describe([request(few, index) for index in range(12)])
    assert later[-1] != first
    assert teacher.describe([request(few, 12, speaker="Ben")]) == [first]
    assert teacher.describe([request(few, 0, dialogue="2")]) == [first]


def test_batches_do_not_change_the_answers(
    teacher: MeasuredTeacher, frames: tuple[VideoFrame, ...]
) -> None:
    """One call with three utterances is three calls with one."""
    requests = [request(frames[start : start + 4], start) for start in (0, 10, 20)]
    together = teacher.describe(requests)
    fresh = MeasuredTeacher.load()
    assert [answer for one in requests for answer in fresh.describe([one])] == together
