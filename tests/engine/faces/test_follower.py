"""Tests of following everybody in front of a camera, forward in time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import cast

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.faces import Box, Face, FaceDetector, FaceFollower, MainFace, Square, TrackedFace
from engine.faces.follower import FORGET_SECONDS, RETRY_SECONDS, SMOOTHING_SECONDS, WHOLE_SECONDS
from engine.faces.geometry import overlap
from engine.faces.presence import UNCHECKED, Presence
from stream.media import Image, VideoFrame

HEIGHT, WIDTH = 480, 640
POINTS = np.zeros((6, 2), np.float32)


class Sight:
    """A detector that sees the faces of a script; the first pixel of a picture is its number."""

    def __init__(self, script: Sequence[Sequence[Box]], score: float = 0.9) -> None:
        self.script, self.score = script, score
        self.looks: list[Square] = []

    def presence(self, image: Image, box: Box) -> Presence:
        """Everything has the landmarks of a face."""
        return UNCHECKED

    def within(self, image: Image, square: Square) -> list[Face]:
        """The faces whose middle is in the square and that are not too small in it."""
        self.looks.append(square)
        return [
            Face(box, self.score, POINTS)
            for box in self.script[256 * int(image[0, 0, 0]) + int(image[0, 0, 1])]
            if max(abs(a - b) for a, b in zip(box.centre, square[:2], strict=True))
            < square.side / 2
            < 5 * box.side
        ]


def face(x: float, side: float = 100.0, y: float = 240.0) -> Box:
    """A square box around a point."""
    return Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def picture(number: int, height: int = HEIGHT, width: int = WIDTH) -> Image:
    """Black but for the number of its entry in the script."""
    image = np.zeros((height, width, 3), np.uint8)
    image[0, 0, :2] = divmod(number, 256)
    return image


def follow(
    script: Sequence[Sequence[Box]], times: Iterable[float], max_people: int = 4
) -> list[tuple[TrackedFace, ...]]:
    """Who is seen in each frame of a script."""
    follower = FaceFollower(cast(FaceDetector, Sight(script)), max_people=max_people)
    return [follower(VideoFrame(time, picture(index))) for index, time in enumerate(times)]


def ids(seen: Iterable[Sequence[TrackedFace]]) -> list[list[int]]:
    """The people of each frame from left to right."""
    return [
        [one.person for one in sorted(faces, key=lambda one: one.box.centre[0])] for faces in seen
    ]


def values(seen: Iterable[Sequence[TrackedFace]]) -> list[list[tuple[object, ...]]]:
    """Everything about the faces of each frame, to compare."""
    return [[(one.person, one.box, one.score, one.time) for one in faces] for faces in seen]


@st.composite
def scripts(draw: st.DrawFn) -> tuple[list[list[Box]], list[float]]:
    """Up to four faces that wander, come and go, and the times of the frames."""
    length = draw(st.integers(1, 25))
    steps = draw(st.lists(st.sampled_from([0.0, 1 / 30, 0.1, 0.4, 3.0, 12.0]), min_size=length))
    script: list[list[Box]] = [[] for _ in range(length)]
    for _ in range(draw(st.integers(0, 4))):
        x, y = draw(st.floats(0, WIDTH)), draw(st.floats(0, HEIGHT))
        side = draw(st.floats(60, 200))
        speed = draw(st.floats(-60, 60))
        hidden = draw(st.sets(st.integers(0, length - 1)))
        for index in set(range(length)) - hidden:
            script[index].append(face(x + speed * index, side, y))
    return script, np.cumsum(steps)[:length].tolist()


@settings(deadline=None, max_examples=60)
@given(scripts())
def test_a_person_has_one_face_and_a_face_one_person(
    case: tuple[list[list[Box]], list[float]],
) -> None:
    """In a frame no id comes twice and no face twice; ids are from 1 in order of appearance."""
    known = 0
    for faces, shown in zip(follow(*case), case[0], strict=True):
        people = [one.person for one in faces]
        assert len(set(people)) == len(people) <= len(shown)
        newcomers = [person for person in people if person > known]
        assert sorted(newcomers) == list(range(known + 1, known + 1 + len(newcomers)))
        known += len(newcomers)
        areas = [one.box.area for one in faces]
        assert areas == sorted(areas, reverse=True)


@settings(deadline=None, max_examples=60)
@given(scripts(), st.integers(0, 25))
def test_what_comes_later_changes_nothing(
    case: tuple[list[list[Box]], list[float]], count: int
) -> None:
    """People, smoothed boxes and scores of the first frames are those of a shorter video."""
    script, times = case
    longer = follow(script, times)
    assert values(follow(script[:count], times[:count])) == values(longer[:count])


@settings(deadline=None, max_examples=60)
@given(scripts(), st.integers(1, 2))
def test_no_more_people_than_asked_for(
    case: tuple[list[list[Box]], list[float]], max_people: int
) -> None:
    """However many faces there are, at most `max_people` are followed."""
    for faces in follow(*case, max_people=max_people):
        assert len(faces) <= max_people


def test_of_too_many_the_largest_are_followed() -> None:
    """The small face in the middle is left out."""
    (seen,) = follow([[face(120, 120), face(320, 80), face(520, 110)]], [0.0], max_people=2)
    assert [one.box.centre[0] for one in seen] == [120, 520]


def test_somebody_must_be_followed() -> None:
    """Nobody to follow is an error of the caller."""
    with pytest.raises(ValueError, match="max_people"):
        FaceFollower(cast(FaceDetector, Sight([])), max_people=0)


@pytest.mark.parametrize("rate", [30, 10, 5])
@pytest.mark.parametrize("speed", [40, 130])
@pytest.mark.parametrize("behind", [75, 100])
def test_people_who_cross_keep_their_ids(rate: int, speed: float, behind: float) -> None:
    """The one behind is hidden for a while, and comes out on the other side as the same."""
    script = []
    for index in range(int(400 / speed * rate)):
        way = speed * index / rate
        front, back = face(120 + way), face(520 - way, behind)
        script.append([front] if overlap(front, back) > 0.2 else [front, back])
    seen = ids(follow(script, [index / rate for index in range(len(script))]))
    assert seen[0] == [1, 2]
    assert seen[-1] == [2, 1]
    assert {person for people in seen for person in people} == {1, 2}


def test_who_turns_round_before_somebody_keeps_the_id() -> None:
    """Two who meet and go back the way they came are not taken for crossing."""
    script = [[face(120 + way), face(520 - way)] for way in [*range(0, 141, 4), *range(140, 0, -4)]]
    seen = ids(follow(script, [index / 30 for index in range(len(script))]))
    assert seen == [[1, 2]] * len(script)


@pytest.mark.parametrize(
    ("away", "x", "side", "person"),
    [
        (1.0, 400, 100, 1),
        (9.5, 420, 110, 1),
        (9.5, 470, 100, 2),
        (0.5, 400, 100, 2),
        (1.0, 300, 180, 2),
        (11.0, 300, 100, 2),
    ],
)
def test_who_comes_back_in_time_and_place_is_the_same(
    away: float, x: float, side: float, person: int
) -> None:
    """The reach widens with the time away, up to a bound; another size is another person."""
    seen = follow([[face(300)], [], [face(x, side)]], [0.0, away / 2, away])
    assert ids(seen) == [[1], [], [person]]


def test_who_stays_keeps_the_face_where_another_left() -> None:
    """A person moving to just where somebody was before stays the same person."""
    script = [[face(300), face(480)], *([face(x)] for x in range(480, 295, -4))]
    script += [[face(300), face(480)]] * 40
    seen = ids(follow(script, [index / 30 for index in range(len(script))]))
    assert seen[0] == [1, 2]
    assert seen[1:47] == [[2]] * 46
    assert seen[-1] == [2, 3]  # she is further than reach from where she left


def test_a_newcomer_is_found_within_a_second() -> None:
    """Somebody far from the one in sight comes in with the next search of the whole picture."""
    script = [[face(120)]] * 5 + [[face(120), face(520)]] * 40
    seen = ids(follow(script, [index / 30 for index in range(len(script))]))
    assert seen[5] == [1]
    assert seen[int(WHOLE_SECONDS * 30) + 1] == [1, 2]


def test_clocks_that_jump_start_anew_with_new_ids() -> None:
    """After a step backwards or far forwards nobody is recognised, and no id is used again."""
    seen = follow([[face(300)]] * 4, [50.0, 50.1, 0.0, 1.0 + FORGET_SECONDS])
    assert ids(seen) == [[1], [1], [2], [3]]


def test_smoothing_does_not_depend_on_the_frame_rate() -> None:
    """A sudden step is followed with one time constant, and a gap ends the memory of it."""
    for rate in (60, 15):
        times = [0.0, *(1 + index / rate for index in range(rate))]
        script = [[face(300)], [face(300)], *([[face(320)]] * (rate - 1))]
        boxes = [faces[0].box for faces in follow(script, times)]
        for time, box in zip(times[1:], boxes[1:], strict=True):
            expected = 320 - 20 * math.exp(-(time - 1) / SMOOTHING_SECONDS)
            assert box.centre[0] == pytest.approx(expected)
        assert follow([[face(300)], [face(320)]], [0.0, 2.0])[1][0].box == face(320)


def test_a_steady_face_takes_one_look_a_frame() -> None:
    """The search rests where it is; the whole picture is searched once a second."""
    detector = Sight([[face(300 + index % 3)] for index in range(90)])
    follower = FaceFollower(cast(FaceDetector, detector))
    for index in range(90):
        follower(VideoFrame(index / 30, picture(index)))
    around = [square for square in detector.looks if square.side == 300]
    assert len(around) == 89
    assert len(set(around)) == 1
    assert len(detector.looks) == 89 + 3 * 3  # the picture and two tiles, in three seconds


class RoughSight(Sight):
    """Sees faces 20 pixels off in large looks, and 10 where a look cuts them."""

    def within(self, image: Image, square: Square) -> list[Face]:
        """As a network that is given few pixels of a face."""
        rough = []
        for seen in super().within(image, square):
            x, side = seen.box.centre[0], seen.box.side
            off = 20 if square.side > 400 else 10 * (abs(x - square.x) + side / 2 > square.side / 2)
            rough.append(Face(face(x + off, side), seen.score, POINTS))
        return rough


def test_of_several_looks_the_closest_whole_one_counts() -> None:
    """Neither a neighbour's look that cuts a face nor the whole picture moves its box."""
    follower = FaceFollower(cast(FaceDetector, RoughSight([[face(200), face(320)]])))
    seen = [follower(VideoFrame(index / 30, picture(0))) for index in range(62)]
    for faces in seen[20:]:
        middles = sorted(one.box.centre[0] for one in faces)
        assert middles == pytest.approx([200, 320], abs=0.1)


def test_an_empty_room_is_searched_a_few_times_a_second() -> None:
    """Most frames without anybody cost nothing; of five a second each is searched."""
    for rate, most in ((30, 5), (5, 5)):
        detector = Sight([[]])
        follower = FaceFollower(cast(FaceDetector, detector))
        for index in range(rate):
            assert follower(VideoFrame(index / rate, picture(0))) == ()
        assert len(detector.looks) == 3 * most


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_none_are_no_faces(bad: float) -> None:
    """A detector's NaN, an empty box or a frame without a time show nobody, and break nothing."""
    broken = [[Box(bad, 0, 90, 90), face(300, 0.0)], [face(300)]]
    assert ids(follow(broken, [0.0, RETRY_SECONDS + 0.01])) == [[], [1]]
    follower = FaceFollower(cast(FaceDetector, Sight([[face(300)]], score=bad)))
    assert follower(VideoFrame(0.0, picture(0))) == ()
    assert ids(follow([[face(300)]] * 3, [0.0, bad, 0.1])) == [[1], [], [1]]


@pytest.mark.parametrize("shape", [(0, 640, 3), (480, 0, 3), (480, 640), (480, 640, 4)])
def test_what_is_no_picture_shows_nobody(shape: tuple[int, ...]) -> None:
    """And the people known before are known after."""
    follower = FaceFollower(cast(FaceDetector, Sight([[face(300)]])))
    shown = [picture(0), np.zeros(shape, np.uint8), picture(0)]
    frames = [VideoFrame(index / 30, image) for index, image in enumerate(shown)]
    assert ids(map(follower, frames)) == [[1], [], [1]]


def test_a_change_of_the_size_of_pictures_keeps_people() -> None:
    """Pictures of half the size show the same person; turned by a right angle, somebody new."""
    detector = Sight([[face(300)], [face(150, 50, 120)]])
    follower = FaceFollower(cast(FaceDetector, detector))
    (first,) = follower(VideoFrame(0.0, picture(0)))
    (second,) = follower(VideoFrame(0.1, picture(1, HEIGHT // 2, WIDTH // 2)))
    (third,) = follower(VideoFrame(0.2, picture(1, WIDTH // 2, HEIGHT // 2)))
    assert [first.person, second.person, third.person] == [1, 1, 2]
    assert second.box == pytest.approx(face(150, 50, 120))


def room(*people: tuple[Image, int]) -> Image:
    """Heads in a room, the later before the earlier: picture and left edge of each."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for head, left in people:
        part = image[140 : 140 + head.shape[0], max(0, left) : left + head.shape[1]]
        part[:] = head[:, head.shape[1] - part.shape[1] :] if left < 0 else head[:, : part.shape[1]]
    return image


@pytest.fixture(scope="module")
def head(clip: list[VideoFrame]) -> Image:
    """The talking head alone, its face about 80 pixels wide."""
    small = cv2.resize(clip[0].image[:, 270:610], (122, 130), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def test_two_faces_that_cross_and_leave_and_return(detector: FaceDetector, head: Image) -> None:
    """Real faces: they pass each other, one leaves the picture and is known on return."""
    mirrored = np.ascontiguousarray(head[:, ::-1])
    lefts = [
        *((40 + 10 * index, 480 - 10 * index) for index in range(45)),
        *[(480, None)] * 30,
        *[(480, 40)] * 40,
    ]
    follower = FaceFollower(detector)
    seen = []
    for index, (one, other) in enumerate(lefts):
        behind = [] if other is None else [(mirrored, other)]
        seen.append(follower(VideoFrame(index / 20, room(*behind, (head, one)))))
    left_to_right = ids(seen)
    front, back = left_to_right[0]
    assert left_to_right[44] == [back, front]
    assert left_to_right[60] == [front]
    assert left_to_right[-1] == [back, front]
    assert {front, back} == {1, 2}


def test_a_real_face_is_steadier_than_the_detector(
    detector: FaceDetector, clip: list[VideoFrame]
) -> None:
    """Boxes shake less than half as much as those of searches of the whole picture."""
    follower = FaceFollower(detector)
    raw = np.array([detector(frame.image)[0].box.centre for frame in clip])
    smooth = np.array([follower(frame)[0].box.centre for frame in clip])
    jerk = [np.abs(np.diff(path, n=2, axis=0)).mean() for path in (raw, smooth)]
    assert jerk[1] < 0.5 * jerk[0]
    assert np.abs(raw - smooth).mean() < 6


class Looks(Sight):
    """Boxes around x = 500 and beyond have no landmarks, but at the numbers of `bare`."""

    def __init__(self, script: Sequence[Sequence[Box]], bare: Iterable[int] = ()) -> None:
        super().__init__(script)
        self.bare = set(bare)
        self.checks = 0

    def presence(self, image: Image, box: Box) -> Presence:
        """By the place and the number of the picture."""
        self.checks += 1
        number = 256 * int(image[0, 0, 0]) + int(image[0, 0, 1])
        return Presence(1.0 if box.centre[0] < 450 and number not in self.bare else 0.0)


def test_a_patch_is_told_of_never_and_takes_no_place() -> None:
    """A beam beside somebody, larger: no id, no place among those followed, and few looks."""
    detector = Looks([[face(120, 100), face(520, 140)]] * 300)
    follower = FaceFollower(cast(FaceDetector, detector), max_people=1)
    seen = [follower(VideoFrame(index / 15, picture(index))) for index in range(300)]
    assert ids(seen) == [[1]] * 300
    assert detector.checks < 20 * (1 + 4) + 5


def test_a_room_of_patches_hides_no_newcomer() -> None:
    """Four patches are there first."""
    patches = [face(470 + 60 * n, 50, 100 + 80 * (n % 4)) for n in range(3)]
    detector = Looks([patches] * 30 + [[*patches, face(100, 80)]] * 40)
    follower = FaceFollower(cast(FaceDetector, detector), max_people=2)
    seen = [follower(VideoFrame(index / 15, picture(index))) for index in range(70)]
    assert ids(seen)[:30] == [[]] * 30
    assert ids(seen)[-1] == [1]


def test_who_turns_the_back_is_out_until_the_face_is_back() -> None:
    """Under the same id; one look without landmarks is not enough."""
    once, long = range(14, 16), range(60, 120)
    detector = Looks([[face(200)]] * 180, [*once, *long])
    follower = FaceFollower(cast(FaceDetector, detector))
    seen = ids(follower(VideoFrame(index / 15, picture(index))) for index in range(180))
    assert seen[:60] == [[1]] * 60
    assert seen[90:119] == [[]] * 29
    assert seen[130:] == [[1]] * 50


def test_what_was_a_face_once_does_not_keep_the_place() -> None:
    """A patch that had landmarks for a second: later somebody else is followed instead."""
    once = [[face(200)]] * 15
    later = [[face(200), face(400, 60)]] * 300
    detector = Looks(once + later)
    detector.presence = lambda image, box: Presence(  # type: ignore[method-assign]
        1.0 if box.side < 80 or int(image[0, 0, 1]) + 256 * int(image[0, 0, 0]) < 15 else 0.0
    )
    follower = FaceFollower(cast(FaceDetector, detector), max_people=1)
    seen = ids(follower(VideoFrame(index / 15, picture(index))) for index in range(315))
    assert seen[10] == [1]
    assert seen[30:100] == [[]] * 70
    assert seen[-1] == [2]


def test_films_cut_every_two_seconds(detector: FaceDetector, clip: list[VideoFrame]) -> None:
    """Everybody in a shot is somebody new, there at once, and one person in it."""
    follower = FaceFollower(detector)
    shots = [frame.image for frame in clip], [frame.image[:, ::-1] for frame in clip]
    people = []
    for shot in range(6):
        for index in range(48):
            image = np.ascontiguousarray(shots[shot % 2][index])
            faces = follower(VideoFrame(2 * shot + index / 24, image))
            people.append([(one.person, one.shot) for one in faces])
    first = people[0][0][1]
    assert people == [[(shot + 1, first + shot)] for shot in range(6) for _ in range(48)]


def test_a_picture_on_the_wall_is_not_the_participant(
    detector: FaceDetector, clip: list[VideoFrame], head: Image
) -> None:
    """A larger face that never moves, beside one that talks: for some seconds, then never."""
    photo = np.asarray(cv2.resize(head, None, fx=1.3, fy=1.3), np.uint8)
    follower, choose = FaceFollower(detector), MainFace()
    chosen = []
    for index in range(15 * 10):
        talking = clip[index % len(clip)].image[:, 270:610]
        small = np.asarray(cv2.resize(talking, (122, 130), interpolation=cv2.INTER_AREA), np.uint8)
        frame = VideoFrame(index / 10, room((photo, 40), (small, 400)))
        chosen.append(choose(follower(frame), frame.time))
    last = [one.box.centre[0] for one in chosen[-20:] if one is not None]
    assert len(last) == 20
    assert min(last) > 320


def test_a_picture_alone_is_looked_at(detector: FaceDetector, head: Image) -> None:
    """A photo that is held before the camera has a face; somebody who talks is no picture."""
    follower, choose = FaceFollower(detector), MainFace()
    frames = [VideoFrame(index / 10, room((head, 250))) for index in range(60)]
    assert all(choose(follower(frame), frame.time) is not None for frame in frames)


def test_somebody_who_talks_is_no_picture(detector: FaceDetector, clip: list[VideoFrame]) -> None:
    """Through seconds of looking straight ahead."""
    follower = FaceFollower(detector)
    seen = [follower(VideoFrame(index / 10, frame.image)) for index, frame in enumerate(clip)]
    assert not any(face.is_picture for faces in seen for face in faces)
