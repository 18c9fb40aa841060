"""What is computed piece by piece is what the whole utterance gives at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from tiny_model import spoken, talk_frames

from engine.behaviour import Behaviour, Observer, Series
from engine.behaviour.baseline import Baseline
from engine.faces import Box, FaceDetector, FaceFollower, TrackedFace
from engine.faces.talking import MOVING
from engine.model.perceived import Look
from engine.model.recognizer import Recognizer
from engine.perception import (
    GLANCE_SECONDS,
    KEPT_FACES,
    KEPT_LOOKS,
    KEPT_WINDOWS,
    PAUSE_SECONDS,
    Perception,
)
from export.models import resolve
from stream.media import SAMPLE_RATE, Samples, Utterance, VideoFrame

IMAGE = np.zeros((48, 64, 3), np.uint8)


def test_an_utterance_in_pieces_is_recognised_as_the_whole(tiny_recognizer: Recognizer) -> None:
    """Same tokens, same probabilities: pictures in batches of any size, sound in windows."""
    sound = spoken(5.0)
    frames = talk_frames(40)
    whole = Utterance("1", "Ann", 0.0, 5.0, frames, sound, "What a lovely day!")
    expected = tiny_recognizer.recognize(whole, [])
    detector = FaceDetector(resolve("blazeface"), resolve("face-landmarks"))
    perception = Perception(tiny_recognizer, lambda: FaceFollower(detector))
    for first, last in ((0, 1), (1, 7), (7, 40)):
        perception.see([("a", frame) for frame in frames[first:last]])
    spec = tiny_recognizer.spec.audio
    length, hop = (round(s * SAMPLE_RATE) for s in (spec.window_seconds, spec.hop_seconds))
    for first in range(0, len(sound) - length + 1, hop):
        perception.hear("a", first, sound[first : first + length])
    said = replace(whole, frames=())
    found = tiny_recognizer.recognize(said, [], perception.perceived("a", said))
    assert found.inputs is not None
    assert expected.inputs is not None
    for name in ("video", "audio", "video_scores", "audio_scores"):
        one, other = getattr(found.inputs, name), getattr(expected.inputs, name)
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-4)
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-4)
    assert found.quality == pytest.approx(expected.quality, abs=1e-6)
    assert found.pictures == expected.pictures == 40


class Plain:
    """An encoder that encodes nothing, but notes what it is given."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def look(self, frames: Sequence[VideoFrame], faces: Sequence[TrackedFace | None]) -> list[Look]:
        """A look for each."""
        self.batches.append(len(frames))
        return [
            Look(frame.time, box=None if face is None else face.box)
            for frame, face in zip(frames, faces, strict=True)
        ]

    def hear(self, windows: Sequence[Samples]) -> np.ndarray:
        """Nothing."""
        return np.zeros((len(windows), 1), np.float32)


class Meter:
    """Measures that the head is large, and notes when it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, bool]] = []

    def look(self, frame: VideoFrame, box: Box, *, pose: bool) -> Mapping[str, float]:
        """One number."""
        self.asked.append((frame.time, pose))
        return {"head_size": 1.0}

    def read(self, *_: object) -> Behaviour:
        """Not used here."""
        raise AssertionError

    def describe(self, series: Mapping[str, Series], baseline: Baseline) -> Behaviour:
        """How often the head was seen, and how much was usual before."""
        count = len(series["head_size"].values)
        return Behaviour(f"{count} looks, {baseline.frames('head_size')} before")


def one_face(frame: VideoFrame) -> tuple[TrackedFace, ...]:
    """Everybody sees the same."""
    return (TrackedFace(1, Box(10, 10, 30, 30), 0.9, frame.time),)


def shown(times: Sequence[float], key: str = "a") -> list[tuple[str, VideoFrame]]:
    """Pictures of somebody."""
    return [(key, VideoFrame(time, IMAGE)) for time in times]


def said(start: float, end: float) -> Utterance:
    """An utterance without words."""
    return Utterance("1", "p", start, end)


def test_an_utterance_has_its_own_pictures_and_windows_alone() -> None:
    """Those of its stretch, by the place of its first sample; of a still picture the last."""
    perception = Perception(Plain(), None)
    perception.see(shown([0.5, 1.0, 1.5, 2.0]))
    for second in range(4):
        perception.hear("a", second * SAMPLE_RATE, np.zeros(4, np.float32))
    found = perception.perceived("a", said(1.0, 2.0))
    assert [look.time for look in found.looks] == [1.0, 1.5]
    assert sorted(found.functionals) == [0, SAMPLE_RATE, 2 * SAMPLE_RATE]
    still = perception.perceived("a", said(2.5, 3.0))
    assert [look.time for look in still.looks] == [2.0]
    assert perception.perceived("a", said(5.0, 6.0)).looks == []
    assert perception.perceived("b", said(1.0, 2.0)).looks == []


def test_faces_are_measured_now_and_then() -> None:
    """However many pictures come; the body more seldom. What ended counts as usual later."""
    meter = Meter()
    perception = Perception(Plain(), lambda: one_face, meter, Observer(meter))
    perception.see(shown([k / 15 for k in range(60)]))
    times = [time for time, _ in meter.asked]
    assert len(times) == pytest.approx(4 / GLANCE_SECONDS, abs=1)
    assert 4 <= sum(pose for _, pose in meter.asked) <= 5
    (first, again, next_) = (
        perception.behaviour("a", said(start, end), remember=remember)
        for start, end, remember in ((0, 2, False), (0, 2, True), (2, 4, True))
    )
    assert first is not None
    assert again is not None
    assert next_ is not None
    assert first.facial_expression == again.facial_expression == "10 looks, 0 before"
    assert next_.facial_expression == "10 looks, 10 before"
    assert perception.behaviour("a", said(9, 10), remember=True) is None


def test_hours_leave_no_more_than_minutes() -> None:
    """What is kept is bounded; a clock that is set back starts over."""
    perception = Perception(Plain(), None)
    perception.see(shown([k / 10 for k in range(10 * KEPT_LOOKS)]))
    for second in range(10 * KEPT_WINDOWS):
        perception.hear("a", second, np.zeros(4, np.float32))
    everything = said(0, 1e9)
    assert len(perception.perceived("a", everything).looks) <= 64
    assert len(perception.perceived("a", everything).functionals) == KEPT_WINDOWS
    perception.see(shown([1.0]))
    assert [look.time for look in perception.perceived("a", everything).looks] == [1.0]
    perception.forget("a")
    assert perception.perceived("a", everything).looks == []


def test_pictures_of_several_participants_are_encoded_together() -> None:
    """In one pass; each keeps their own."""
    plain = Plain()
    perception = Perception(plain, None)
    perception.see([*shown([0.0, 0.1]), *shown([5.0], "b")])
    assert plain.batches == [3]
    assert len(perception.perceived("a", said(0, 1)).looks) == 2
    assert len(perception.perceived("b", said(5, 6)).looks) == 1


def test_the_largest_face_over_time_is_the_participant() -> None:
    """Who passes by close to the camera is not taken instead; who stays alone is."""
    near = Box(0, 0, 40, 40)

    def follow(frame: VideoFrame) -> tuple[TrackedFace, ...]:
        sitting = TrackedFace(1, Box(10, 10, 30, 30), 0.9, frame.time)
        passing = TrackedFace(2, near, 0.9, frame.time)
        if frame.time > 9:
            return (passing,)
        return (passing, sitting) if 2 <= frame.time < 2.2 else (sitting,)

    perception = Perception(Plain(), lambda: follow)
    perception.see(shown([k / 10 for k in range(30)]))
    looks = perception.perceived("a", said(0, 3)).looks
    assert {look.box for look in looks} == {Box(10, 10, 30, 30)}
    perception.see(shown([9.5]))
    assert perception.perceived("a", said(9, 10)).looks[0].box == near


def test_whole_frames_have_behaviour_too() -> None:
    """The encoder knows no face then, and the follower's box is what is measured."""

    class Frames(Plain):
        """Looks at whole frames."""

        def look(
            self, frames: Sequence[VideoFrame], faces: Sequence[TrackedFace | None]
        ) -> list[Look]:
            """A look for each, without a face."""
            return [Look(frame.time) for frame in frames]

    meter = Meter()
    perception = Perception(Frames(), lambda: one_face, meter, Observer(meter))
    perception.see(shown([k / 15 for k in range(30)]))
    told = perception.behaviour("a", said(0, 2), remember=True)
    assert told is not None
    assert told.facial_expression == "10 looks, 0 before"


@pytest.mark.parametrize("cut", [0.6, 1.4])
def test_behaviour_is_that_of_the_person_whose_face_counts(cut: float) -> None:
    """An utterance with a cut: what is told is of the shot that the emotion is read from."""

    def follow(frame: VideoFrame) -> tuple[TrackedFace, ...]:
        after = frame.time >= cut
        return (TrackedFace(1 + after, Box(10, 10, 30, 30), 0.9, frame.time, 1 + after),)

    class Named(Plain):
        """Says whose face it is."""

        def look(
            self, frames: Sequence[VideoFrame], faces: Sequence[TrackedFace | None]
        ) -> list[Look]:
            """A look for each."""
            return [
                Look(frame.time, person=face.person if face else 0, weight=1.0)
                for frame, face in zip(frames, faces, strict=True)
            ]

    meter = Meter()
    perception = Perception(Named(), lambda: follow, meter, Observer(meter))
    perception.see(shown([k / 10 for k in range(20)]))
    told = perception.behaviour("a", said(0, 2), remember=True)
    assert told is not None
    assert told.facial_expression == "7 looks, 0 before"


LEFT, RIGHT = Box(24, 28, 106, 110), Box(152, 28, 234, 110)


def two_faces(frame: VideoFrame) -> tuple[TrackedFace, ...]:
    """The left one is there all the time, the right one for the first two seconds."""
    both = (TrackedFace(1, LEFT, 0.9, frame.time), TrackedFace(2, RIGHT, 0.9, frame.time))
    return both if frame.time < 2 else both[:1]


def drawn(time: float, opened: float) -> VideoFrame:
    """Two faces; the mouth of the right one is open by some pixels."""
    image = np.full((128, 256), 90, np.uint8)
    for box, mouth in ((LEFT, 4.0), (RIGHT, opened)):
        x, y = (round(middle) for middle in box.centre)
        cv2.ellipse(image, (x, y), (34, 42), 0, 0, 360, 180, -1)
        for eye in (x - 16, x + 16):
            cv2.ellipse(image, (eye, y - 12), (8, 4), 0, 0, 360, 40, -1)
            cv2.line(image, (eye - 8, y - 22), (eye + 8, y - 24), 70, 3)
        cv2.ellipse(image, (x, y + 20), (14, 2 + round(mouth)), 0, 0, 360, 60, -1)
    return VideoFrame(time, np.repeat(image[:, :, None], 3, 2))


def test_several_people_are_all_looked_at() -> None:
    """In one pass of the encoder; each has their own pictures, and gaps where they are gone."""
    plain = Plain()
    perception = Perception(plain, lambda: two_faces, people=True)
    perception.see(shown([0.0, 1.0, 2.0]))
    assert plain.batches == [3 + 2 + 2 + 1]
    boxes = {
        face: [look.box for look in perception.perceived("a", said(0, 3), face).looks]
        for face in (1, 2, 9, None)
    }
    assert boxes == {1: [LEFT] * 3, 2: [RIGHT, RIGHT, None], 9: [None] * 3, None: [None] * 3}


def test_whose_mouth_moves() -> None:
    """That of the right face, and nobody's who is not in sight."""
    perception = Perception(Plain(), lambda: two_faces, people=True)
    times = [k / 15 for k in range(40)]
    for time in times:
        perception.see([("a", drawn(time, 4 + 4 * np.cos(8 * np.pi * time)))])
    mouths = perception.mouths("a", 0.5, 1.5)
    means = {face: np.mean([motion for _, motion in track]) for face, track in mouths.items()}
    assert means[1] < 0.1
    assert means[2] > MOVING
    assert [time for time, _ in mouths[1]] == [time for time in times if 0.5 <= time < 1.5]
    assert perception.mouths("a", 2.1, 2.6).keys() == {1}
    assert perception.around("a") == {1, 2}


def test_behaviour_is_that_of_the_speaker() -> None:
    """Of the own face, against what is usual for that person; all of it goes when they leave."""
    meter = Meter()
    observer = Observer(meter)
    perception = Perception(Plain(), lambda: two_faces, meter, observer, people=True)
    perception.see(shown([k / 5 for k in range(20)]))
    told = [
        perception.behaviour("a", replace(said(start, end), participant=who), face, remember=True)
        for who, face, start, end in (
            ("p-1", 1, 0, 2),
            ("p-2", 2, 0, 2),
            ("p-1", 1, 2, 4),
            ("p-2", 2, 2, 4),
            ("p-3", None, 0, 2),
        )
    ]
    assert [one and one.facial_expression for one in told] == [
        "10 looks, 0 before",
        "10 looks, 0 before",
        "10 looks, 10 before",
        None,
        None,
    ]
    perception.forget("a")
    assert not observer._baselines


def test_a_pause_is_short_for_who_follows_faces() -> None:
    """People keep their places in silence, when no pictures come; not in a long one."""
    followed: list[float] = []

    def follow(frame: VideoFrame) -> tuple[TrackedFace, ...]:
        followed.append(frame.time)
        return (TrackedFace(len(followed), LEFT, 0.9, frame.time),)

    perception = Perception(Plain(), lambda: follow, people=True)
    perception.see(shown([1.0, 1.5, 21.5, 22.0]))
    assert followed == [1.0, 1.5, 2.5, 3.0]
    assert perception.around("a") == {1, 2, 3, 4}
    perception.see(shown([22.5 + PAUSE_SECONDS]))
    assert followed[-1] - followed[-2] == 0.5 + PAUSE_SECONDS
    assert perception.around("a") == {5}
    assert [look.time for look in perception.perceived("a", said(20, 22.2), 3).looks] == [21.5, 22]


def test_many_passers_by_leave_little() -> None:
    """The faces seen longest ago are forgotten, and the pictures that showed nobody stay."""
    people = iter(range(1, 1_000))

    def follow(frame: VideoFrame) -> tuple[TrackedFace, ...]:
        return (TrackedFace(next(people), LEFT, 0.9, frame.time),)

    perception = Perception(Plain(), lambda: follow, people=True)
    perception.see(shown([k / 10 for k in range(100)]))
    assert perception.mouths("a", 0, 100).keys() == set(range(101 - KEPT_FACES, 101))
    assert len(perception.perceived("a", said(0, 100), 50).looks) == 64
