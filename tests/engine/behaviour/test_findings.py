"""Tests of what is found worth saying."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.behaviour.baseline import PRIOR_FRAMES, Baseline
from engine.behaviour.findings import find, is_still
from engine.behaviour.measures import MEASURES, Series
from engine.behaviour.rules import BODY, FACE, POSTURE, RULES, Rule
from engine.behaviour.words import sentence

STEP = 0.1


def series(values: list[float], start: float = 5.0, step: float = STEP) -> Series:
    """Values at a steady rate."""
    times = tuple(start + step * index for index in range(len(values)))
    return Series(times, tuple(values))


def usual() -> dict[str, float]:
    """The usual value of every measure."""
    return {
        name: 1.0 if measure.neutral is None else measure.neutral
        for name, measure in MEASURES.items()
    }


@pytest.fixture
def baseline() -> Baseline:
    """Of somebody who always looks like people in general."""
    baseline = Baseline()
    baseline.update(
        {name: series([value] * (50 * PRIOR_FRAMES)) for name, value in usual().items()}
    )
    return baseline


def departing(name: str, departures: list[float], baseline: Baseline) -> dict[str, Series]:
    """A measure that departs by so many thresholds in each frame."""
    normal = baseline.normal(name)
    assert normal is not None
    values = [normal.centre + departure * normal.threshold for departure in departures]
    return {name: series(values)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.measure}{rule.direction:+}")
def test_every_rule_speaks_when_its_measure_departs(rule: Rule, baseline: Baseline) -> None:
    """By twice the threshold for most of the time: the state; not by less than the threshold."""
    normal = rule.normal or baseline.normal(rule.measure)
    assert normal is not None
    for size, said in ((2.0, True), (0.9, False)):
        value = normal.centre + size * rule.direction * normal.threshold
        found = find({rule.measure: series([value] * 10)}, baseline)
        own = [finding for finding in found if finding.words == rule.state]
        assert len(own) == said
        for finding in own:
            assert finding.part == rule.state_part
            assert finding.held
            assert (finding.start, finding.end) == pytest.approx((5.0, 5.9))


def test_usual_values_say_nothing(baseline: Baseline) -> None:
    """Of somebody known, and of a stranger who looks like people in general."""
    still = {name: series([value] * 12) for name, value in usual().items()}
    assert find(still, baseline) == []
    assert find(still, Baseline()) == []
    assert find({}, baseline) == []


def test_gaps_do_not_count_as_seen(baseline: Baseline) -> None:
    """What every other frame shows is one stretch, but it is not held."""
    (finding,) = find(departing("brow_height", [2, 0] * 5, baseline), baseline)
    assert not finding.held
    assert (finding.start, finding.end) == pytest.approx((5.0, 5.8))


def test_a_part_of_the_time_is_an_action_with_its_moment(baseline: Baseline) -> None:
    """From the first to the last frame that shows it."""
    numbers = departing("brow_height", [0, 0, 2, 2, 2, 0, 0, 0, 0, 0], baseline)
    (finding,) = find(numbers, baseline)
    assert finding.words == "raises the brows"
    assert not finding.held
    assert (finding.start, finding.end) == pytest.approx((5.2, 5.4))
    assert finding.strength == pytest.approx(2)


def test_one_frame_alone_is_not_spoken_of(baseline: Baseline) -> None:
    """It may be a slip of the network, also where it is all there is."""
    assert find(departing("brow_height", [0, 0, 3, 0, 0], baseline), baseline) == []
    assert find(departing("brow_height", [2], baseline), baseline) == []


def test_a_gap_of_one_frame_does_not_end_a_moment(baseline: Baseline) -> None:
    """Two frames do; the longest stretch counts, the first of equals."""
    numbers = departing("brow_height", [2, 2, 0, 2, 0, 0, 2, 2] + [0] * 8, baseline)
    (finding,) = find(numbers, baseline)
    assert (finding.start, finding.end) == pytest.approx((5.0, 5.3))


@pytest.mark.parametrize(
    ("departure", "words"),
    [
        (1.2, "lowers the brows slightly"),
        (2.0, "lowers the brows"),
        (3.0, "lowers the brows strongly"),
    ],
)
def test_adverbs_follow_the_size(departure: float, words: str, baseline: Baseline) -> None:
    """Up to one and a half thresholds, and from two and a half."""
    numbers = departing("brow_height", [-departure] * 3 + [0] * 7, baseline)
    assert [finding.words for finding in find(numbers, baseline)] == [words]


def test_a_wide_mouth_has_its_own_words(baseline: Baseline) -> None:
    """Instead of an adverb."""
    numbers = departing("lip_gap", [4] * 3 + [0] * 7, baseline)
    assert [finding.words for finding in find(numbers, baseline)] == ["opens the mouth wide"]


def test_what_explains_a_departure_silences_it(baseline: Baseline) -> None:
    """A smile widens the mouth; then only the corners are told."""
    width = departing("mouth_width", [2] * 10, baseline)
    assert [finding.words for finding in find(width, baseline)] == ["mouth stretched"]
    smile = width | departing("corner_lift", [2] * 10, baseline)
    assert [finding.words for finding in find(smile, baseline)] == ["mouth corners lifted"]


def test_a_blink_is_not_told(baseline: Baseline) -> None:
    """Shut for 0.3 s is a blink; for 0.5 s the eyes are closed, and not also narrowed."""
    blink = {"eye_opening": series([0.32] * 5 + [0.05] * 4 + [0.32] * 5)}
    assert find(blink, baseline) == []
    closed = {"eye_opening": series([0.32] * 8 + [0.05] * 6 + [0.32] * 8)}
    assert [finding.words for finding in find(closed, baseline)] == ["closes the eyes"]


def test_lowered_lids_of_a_downward_look_are_no_narrowing(baseline: Baseline) -> None:
    """Looking down lowers the lids."""
    lids = departing("eye_opening", [-1.2] * 10, baseline)
    down = departing("gaze_y", [-2] * 10, baseline)
    assert [finding.words for finding in find(lids | down, baseline)] == ["eyes turned down"]


def test_a_nod_and_a_shake_are_told(baseline: Baseline) -> None:
    """Of pitch and of yaw."""
    swinging = series([0.0, -5, 2, -5, 2, -5, 0, 0] * 2)
    assert [finding.words for finding in find({"head_pitch": swinging}, baseline)] == ["nods"]
    wider = series([value * 2 for value in swinging.values])
    words = [finding.words for finding in find({"head_yaw": wider}, baseline)]
    assert "shakes the head" in words


def test_moving_hands_are_told(baseline: Baseline) -> None:
    """One or both; not a hand at rest."""
    moving = [0.0, 0.5, 0.0, 0.5]

    def hand(side: str, path: list[float]) -> dict[str, Series]:
        return {f"{side}_hand_x": series(path), f"{side}_hand_height": series([-2.0] * len(path))}

    right = hand("right", moving)
    assert [found.words for found in find(right, baseline)] == ["moving the right hand"]
    holding = hand("right", [0.0, 0.2, 0.0, 0.2])
    assert find(holding, baseline) == []
    both = find(right | hand("left", moving), baseline)
    assert [found.words for found in both] == ["moving both hands"]
    assert find(hand("left", [0.5] * 4), baseline) == []


def test_a_face_is_still_where_nothing_moves(baseline: Baseline) -> None:
    """Blinks are no movement; a single frame that departs is, and so are lips that speak."""
    still = {name: series([value] * 12) for name, value in usual().items()}
    assert is_still(still, baseline)
    assert is_still(still | {"eye_opening": series([0.32] * 6 + [0.05] + [0.32] * 5)}, baseline)
    for name in ("lip_gap", "brow_height", "corner_lift", "gaze_x"):
        once = departing(name, [0.0] * 5 + [1.5] + [0.0] * 6, baseline)
        assert not is_still(still | once, baseline)
    assert not is_still(still | {"lip_gap": series([0.0, 0.045] * 6)}, baseline)


def test_few_frames_do_not_tell_that_a_face_is_still(baseline: Baseline) -> None:
    """Nor one that is seen from the side."""
    few = {name: series([value] * 4) for name, value in usual().items()}
    assert not is_still(few, baseline)
    assert not is_still({"head_yaw": series([50.0] * 12)}, baseline)


names = st.sampled_from(sorted({rule.measure for rule in RULES}))
anything = st.dictionaries(
    names, st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=12).map(series), max_size=8
)


@settings(max_examples=60)
@given(anything, anything)
def test_any_numbers_give_sound_findings(
    before: dict[str, Series], numbers: dict[str, Series]
) -> None:
    """Moments lie within the frames, strengths reach the threshold, sentences can be made."""
    baseline = Baseline()
    baseline.update(before)
    found = find(numbers, baseline)
    times = [time for measured in numbers.values() for time in measured.times]
    for finding in found:
        assert min(times) <= finding.start <= finding.end <= max(times)
        assert finding.strength >= 1
    for part in (FACE, BODY, POSTURE):
        text = sentence(part, found, numbers)
        assert not text or (text[0].isupper() and text.endswith("."))
