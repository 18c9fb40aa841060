"""Tests of the sentences."""

from __future__ import annotations

from engine.behaviour.findings import Finding
from engine.behaviour.measures import Series
from engine.behaviour.rules import BODY, FACE, POSTURE, Part
from engine.behaviour.words import MAX_FINDINGS, sentence, spoken

TIMES = (10.0, 10.5, 11.0, 11.5, 12.0)


def seen(**values: float) -> dict[str, Series]:
    """Measures that stay the same over two seconds."""
    return {name: Series(TIMES, (value,) * len(TIMES)) for name, value in values.items()}


def action(words: str, start: float, end: float, part: Part = FACE, strength: float = 2) -> Finding:
    """Something done for a while."""
    return Finding(part, words, False, start, end, strength)


def state(words: str, part: Part = FACE, strength: float = 2) -> Finding:
    """Something held."""
    return Finding(part, words, True, TIMES[0], TIMES[-1], strength)


def test_actions_and_states_make_one_sentence() -> None:
    """What is done at one time together, with seconds since the first frame; then what is held."""
    findings = [
        action("raises the brows", 11.2, 11.9),
        action("opens the mouth wide", 11.2, 11.9),
        state("mouth corners lifted"),
        state("eyes narrowed"),
    ]
    assert sentence(FACE, findings, seen(lip_gap=0.0)) == (
        "Raises the brows and opens the mouth wide from 1.2 s to 1.9 s; "
        "mouth corners lifted, eyes narrowed."
    )


def test_actions_come_in_the_order_of_time() -> None:
    """Three of one time are listed with commas; one frame is a point in time."""
    findings = [
        action("d", 11.5, 11.5),
        *(action(words, 10.0, 10.5) for words in "abc"),
    ]
    expected = "A, b and c from 0.0 s to 0.5 s; d at 1.5 s."
    assert sentence(FACE, findings, seen(lip_gap=0.0)) == expected


def test_without_times_actions_come_in_the_order_of_time() -> None:
    """As a model is taught that cannot know the times."""
    findings = [action("b", 11.0, 11.5), action("a", 10.0, 10.5), state("c")]
    assert sentence(FACE, findings, seen(lip_gap=0.0), timed=False) == "A and b; c."
    assert sentence(FACE, findings[2:], seen(lip_gap=0.0), timed=False) == "C."


def test_only_the_strongest_are_said() -> None:
    """In their own order, and only those of the part."""
    findings = [state(f"f{index}", strength=index) for index in range(MAX_FINDINGS + 2)]
    chosen = spoken(FACE, [*findings, state("other", BODY, 99)])
    assert [finding.words for finding in chosen] == ["f2", "f3", "f4", "f5"]


def test_nothing_seen_is_nothing_said() -> None:
    """Each sentence is empty without what it would be drawn from."""
    for part in (FACE, BODY, POSTURE):
        assert sentence(part, [], {}) == ""


def test_a_face_that_does_nothing_is_still() -> None:
    """Where that was found, and nothing else; otherwise nothing is said."""
    assert sentence(FACE, [], seen(lip_gap=0.0), still=True) == "Keeps a still face."
    assert sentence(FACE, [], seen(lip_gap=0.0)) == ""
    assert sentence(FACE, [state("eyes closed")], seen(), still=True) == "Eyes closed."


def test_a_head_that_does_nothing_is_still_or_moves() -> None:
    """By the deviation of its angles; a single frame cannot tell."""
    still = seen(head_yaw=0.0, head_pitch=0.0, head_roll=0.0)
    assert sentence(BODY, [], still) == "Keeps the head still."
    moving = still | {"head_yaw": Series(TIMES, (0.0, 5.0, 0.0, -5.0, 0.0))}
    assert sentence(BODY, [], moving) == "Moves the head a little."
    one = {name: Series((1.0,), (0.0,)) for name in still}
    assert sentence(BODY, [], one) == ""


def test_posture_tells_how_the_head_is_held() -> None:
    """Towards the camera, turned or tilted; shoulders only where they were seen."""
    upright = seen(head_yaw=0.0, head_pitch=0.0, head_roll=0.0)
    assert sentence(POSTURE, [], upright) == "Head upright, facing the camera."
    level = upright | seen(shoulder_slope=1.0)
    assert sentence(POSTURE, [], level) == "Head upright, facing the camera, shoulders level."
    turned = seen(head_yaw=18.0, head_pitch=0.0, head_roll=-12.0)
    assert sentence(POSTURE, [], turned) == (
        "Head somewhat turned to the left, head somewhat tilted to the right."
    )


def test_posture_does_not_contradict_what_was_found() -> None:
    """A tilted head is not upright, raised shoulders are not level."""
    measures = seen(head_yaw=0.0, head_pitch=0.0, head_roll=0.0, shoulder_slope=0.0)
    findings = [state("head lowered", POSTURE), state("shoulders raised", POSTURE)]
    assert sentence(POSTURE, findings, measures) == "Head lowered, shoulders raised."
