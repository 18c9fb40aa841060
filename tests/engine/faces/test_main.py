"""Who is the participant, over whole lives of a camera."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from engine.faces import Box, MainFace, TrackedFace, heaviest
from engine.faces.follower import FORGET_SECONDS, GAP_SECONDS


def face(person: int, side: float, time: float, score: float = 0.9, shot: int = 1) -> TrackedFace:
    """A sighting of somebody."""
    return TrackedFace(person, Box(0, 0, side, side), score, time, shot)


def run(choose: MainFace, frames: Sequence[Sequence[TrackedFace]]) -> list[int | None]:
    """Whom a film shows."""
    chosen = [choose(faces, faces[0].time) for faces in frames]
    return [None if one is None else one.person for one in chosen]


def switches(chosen: Sequence[int | None]) -> int:
    """How often somebody else is the main person."""
    people = [person for person in chosen if person is not None]
    return sum(a != b for a, b in itertools.pairwise(people))


def test_an_hour_and_a_coffee_break() -> None:
    """Who comes back under a new id after an hour is as good as whoever is there: no flicker."""
    choose = MainFace()
    run(choose, [[face(1, 100, n / 15)] for n in range(54_000)])
    back = [
        [face(2, 100, 3700 + n / 15), face(3, 120 if n % 2 else 90, 3700 + n / 15)]
        for n in range(900)
    ]
    chosen = run(choose, back)
    assert switches(chosen) <= 1
    assert None not in chosen
    assert choose.known == 2


def test_five_thousand_passers_by_leave_nothing() -> None:
    """Those alone are known whom the follower may recognise; who sits there stays the main one."""
    choose = MainFace()
    for n in range(5000):
        sitting, passing = face(1, 60, n / 2), face(10 + n, 70, n / 2)
        main = choose([passing, sitting], n / 2)
    assert main is not None
    assert main.person == 1
    assert choose.known <= 2 * FORGET_SECONDS + 1


def test_two_people_side_by_side_do_not_take_turns() -> None:
    """Faces of one size whose boxes shake: the first one stays."""
    frames = [
        [face(1, 100 + n % 3, n / 15), face(2, 102 - n % 3, n / 15, 0.92)] for n in range(900)
    ]
    assert switches(run(MainFace(), frames)) == 0


def test_who_turns_away_for_a_moment_is_waited_for() -> None:
    """No picture of somebody else in between; who stays away is not waited for."""
    choose = MainFace()
    run(choose, [[face(1, 100, n / 10), face(2, 60, n / 10)] for n in range(30)])
    alone = [[face(2, 60, 3 + n / 10)] for n in range(20)]
    chosen = run(choose, alone)
    waited = round(10 * GAP_SECONDS)
    assert chosen[: waited - 1] == [None] * (waited - 1)
    assert chosen[waited + 1 :] == [2] * (20 - waited - 1)


def test_who_comes_nearer_for_good_takes_over_once() -> None:
    """Within some seconds."""
    choose = MainFace()
    run(choose, [[face(1, 60, n / 10), face(2, 50, n / 10)] for n in range(300)])
    chosen = run(choose, [[face(1, 60, 30 + n / 10), face(2, 120, 30 + n / 10)] for n in range(80)])
    assert chosen[-1] == 2
    assert switches([1, *chosen]) == 1


def test_a_large_patch_that_is_just_a_face_does_not_win() -> None:
    """A score of 0.55 against one of 0.95, on nine times the area."""
    assert run(MainFace(), [[face(1, 150, 0.0, 0.55), face(2, 50, 0.0, 0.95)]]) == [2]


def test_a_cut_forgets_everybody() -> None:
    """Nobody of the shot before is waited for, and a clock set back is a new start, too."""
    choose = MainFace()
    run(choose, [[face(1, 200, n / 10)] for n in range(30)])
    assert run(choose, [[face(2, 50, 3.0, shot=2)]]) == [2]
    assert choose.known == 1
    assert run(choose, [[face(3, 20, 1.0, shot=2)]]) == [3]
    assert choose.known == 1


def test_a_camera_without_faces_knows_nobody() -> None:
    """For an hour."""
    choose = MainFace()
    assert {choose([], n / 15) for n in range(54_000)} == {None}
    assert choose.known == 0


def test_the_heaviest_has_the_greatest_sum() -> None:
    """Of equals who came first, of nobody nobody."""
    assert heaviest([(2, 1.0), (1, 0.6), (1, 0.6)]) == 1
    assert heaviest([(2, 1.0), (1, 1.0)]) == 1
    assert heaviest([]) is None
