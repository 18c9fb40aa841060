"""Whose baseline an utterance is read against, and that live and training read alike."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from engine.behaviour import Baseline, Behaviour, BehaviourReader, Observer, Series
from engine.faces import Box, FaceDetector
from engine.model.inputs import participant_pictures
from engine.model.spec import VideoSpec
from stream.media import VideoFrame
from training.describe.description import Description, UtteranceKey
from training.describe.measured import MeasuredTeacher
from training.describe.teacher import Request


class Counter:
    """A reader that notes how many frames the baseline knew, and sees one more."""

    def __init__(self) -> None:
        self.known: list[int] = []
        self.boxes: Sequence[Box | None] | None = None

    def read(
        self,
        frames: Sequence[VideoFrame],
        baseline: Baseline,
        boxes: Sequence[Box | None] | None = None,
    ) -> Behaviour:
        """Raises where there are no frames."""
        if not frames:
            raise RuntimeError("nothing to see")
        self.known.append(baseline.frames("head_yaw"))
        self.boxes = boxes
        return Behaviour("Nods.", measures={"head_yaw": Series((0.0,), (1.0,))})


FRAMES = (VideoFrame(0.0, np.zeros((4, 4, 3), np.uint8)),)


def test_baselines_of_participants_do_not_mix() -> None:
    """Each knows the earlier utterances of its own participant, and not the one it reads."""
    counter = Counter()
    observer = Observer(counter)
    for who in "aabab":
        observer(who, FRAMES)
    assert counter.known == [0, 1, 0, 2, 1]


def test_boxes_reach_the_reader() -> None:
    """What is tracked already is not tracked again."""
    counter = Counter()
    Observer(counter)("a", FRAMES, (None,))
    assert counter.boxes == (None,)


def test_who_was_seen_longest_ago_is_forgotten_first() -> None:
    """The number of baselines is bounded however many participants there are."""
    counter = Counter()
    observer = Observer(counter, participants=2)
    for who in "abaca":  # c takes the place of b
        observer(who, FRAMES)
    assert counter.known == [0, 0, 1, 0, 2]
    observer("b", FRAMES)
    assert counter.known[-1] == 0


def test_an_utterance_that_cannot_be_read_changes_nothing() -> None:
    """The failure goes on to the caller; what was usual stays so."""
    counter = Counter()
    observer = Observer(counter)
    observer("a", FRAMES)
    with pytest.raises(RuntimeError):
        observer("a", ())
    observer("a", FRAMES)
    assert counter.known == [0, 1]


def test_live_and_the_measured_teacher_say_the_same(
    reader: BehaviourReader, detector: FaceDetector, clip: list[VideoFrame]
) -> None:
    """Live the faces are those of the recogniser; the teacher finds them itself, without times."""
    utterances = [tuple(clip[start : start + 24]) for start in (0, 18, 36)]
    observer, teacher = Observer(reader), MeasuredTeacher(reader)
    for number, frames in enumerate(utterances):
        key = UtteranceKey("own", "train", "1", number)
        (taught,) = teacher.describe([Request(key, "Ann", "Hm.", (), frames)])
        boxes = participant_pictures(frames, VideoSpec(), detector).boxes
        shown = observer("Ann", frames, boxes)
        assert isinstance(taught, Description)
        assert " ".join(filter(None, shown.untimed.values())) == taught.text() != ""
        for timed, untimed in zip(
            (shown.facial_expression, shown.body_language, shown.posture),
            shown.untimed.values(),
            strict=True,
        ):
            assert set(re.findall("[a-z]+", untimed.lower())) <= set(
                re.findall("[a-z]+", timed.lower())
            )
        assert shown.moments
        assert all(
            frames[0].time <= one.start <= one.end <= frames[-1].time for one in shown.moments
        )
