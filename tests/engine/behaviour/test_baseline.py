"""Tests of what is usual for a person."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.behaviour.baseline import PRIOR_FRAMES, WINDOW_FRAMES, Baseline, Normal
from engine.behaviour.measures import MEASURES, Series

OWN = "neck_length"
"""A measure with no value for people in general: only the person's own frames count."""
SHARED = "brow_height"
"""A measure with one."""
values = st.floats(-10, 10, width=32)
enough = st.lists(values, min_size=PRIOR_FRAMES, max_size=80)


def series(numbers: Sequence[float]) -> Series:
    """Values at one frame a second."""
    return Series(tuple(float(index) for index in range(len(numbers))), tuple(numbers))


def normal(name: str, numbers: Sequence[float]) -> Normal:
    """What is usual after some frames; it must be known."""
    baseline = Baseline()
    baseline.update({name: series(numbers)})
    found = baseline.normal(name)
    assert found is not None
    return found


@settings(max_examples=40)
@given(enough)
def test_the_centre_is_the_median(numbers: list[float]) -> None:
    """Of the person's own frames, and the threshold is never below the measure's minimum."""
    found = normal(OWN, numbers)
    assert found.centre == pytest.approx(statistics.median(numbers), abs=1e-6)
    assert found.threshold >= MEASURES[OWN].minimum


@settings(max_examples=40)
@given(enough, st.randoms(use_true_random=False))
def test_the_order_of_frames_does_not_matter(numbers: list[float], random: object) -> None:
    """Within the window a baseline is of the frames, not of their order."""
    shuffled = list(numbers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert normal(OWN, shuffled) == normal(OWN, numbers)


@settings(max_examples=40)
@given(enough, values, st.floats(1, 8))
def test_it_moves_and_scales_with_the_frames(
    numbers: list[float], shift: float, scale: float
) -> None:
    """Departures do not depend on where a person's usual value lies."""
    before, moved = normal(OWN, numbers), normal(OWN, [value + shift for value in numbers])
    assert moved.centre == pytest.approx(before.centre + shift, abs=1e-5)
    assert moved.threshold == pytest.approx(before.threshold, abs=1e-4)
    assert normal(OWN, [value * scale for value in numbers]).threshold >= before.threshold - 1e-6


@settings(max_examples=40)
@given(st.lists(st.floats(0.9, 1.1), min_size=30, max_size=60), st.floats(-1e6, 1e6))
def test_a_third_of_wild_frames_does_not_move_it(usual: list[float], wild: float) -> None:
    """An expression that fills less than half of the frames stays unusual."""
    found = normal(OWN, usual + [wild] * (len(usual) // 3))
    assert 0.9 <= found.centre <= 1.1
    assert found.threshold <= 0.9


@settings(max_examples=40)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=40))
def test_what_is_not_finite_is_ignored(numbers: list[float]) -> None:
    """NaN and infinity never enter."""
    baseline = Baseline()
    baseline.update({OWN: series(numbers)})
    assert baseline.frames(OWN) == sum(map(math.isfinite, numbers))


def test_memory_is_bounded() -> None:
    """Only the last frames are remembered, and measures without a table entry not at all."""
    baseline = Baseline()
    for _ in range(WINDOW_FRAMES // 100 + 3):
        baseline.update({OWN: series([1.0] * 100), "left_hand_x": series([1.0] * 100)})
    assert baseline.frames(OWN) == WINDOW_FRAMES
    assert baseline.frames("left_hand_x") == 0
    baseline.update({OWN: series([5.0] * WINDOW_FRAMES)})
    found = baseline.normal(OWN)
    assert found is not None
    assert found.centre == 5


def test_a_stranger_is_compared_with_people_in_general() -> None:
    """Without frames the published value and tolerance hold, or nothing is known."""
    measure = MEASURES[SHARED]
    assert Baseline().normal(SHARED) == Normal(measure.neutral or 0.0, measure.tolerance)
    assert Baseline().normal(OWN) is None
    baseline = Baseline()
    baseline.update({OWN: series([1.0] * (PRIOR_FRAMES - 1))})
    assert baseline.normal(OWN) is None


@settings(max_examples=40)
@given(st.integers(0, 300), st.floats(0.1, 0.3))
def test_the_own_value_takes_over_gradually(count: int, usual: float) -> None:
    """The centre lies between neutral and own, at the share of own frames; so no jump."""
    neutral = MEASURES[SHARED].neutral or 0.0
    found = normal(SHARED, [usual] * count)
    share = count / (count + PRIOR_FRAMES)
    assert found.centre == pytest.approx(share * usual + (1 - share) * neutral)
    assert MEASURES[SHARED].minimum <= found.threshold <= MEASURES[SHARED].tolerance


@settings(max_examples=40)
@given(st.lists(st.floats(-5, 5), max_size=200))
def test_a_lively_face_is_not_taken_to_be_still(numbers: list[float]) -> None:
    """However much a person moves, what everybody would notice counts."""
    assert normal(SHARED, numbers).threshold <= MEASURES[SHARED].tolerance + 1e-9


def test_departures_are_in_thresholds() -> None:
    """One threshold above the centre is 1, below -1."""
    usual = Normal(centre=2.0, threshold=0.5)
    assert [usual.departure(value) for value in (1.5, 2.0, 3.0)] == [-1, 0, 2]
