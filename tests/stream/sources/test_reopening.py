"""When to open again what failed or fell silent."""

from __future__ import annotations

import pytest
from device_doubles import Clock
from hypothesis import given
from hypothesis import strategies as st

from stream.sources.reopening import PROVEN_SECONDS, Reopening

STEP = 0.25
quarters = st.integers(0, 80).map(lambda n: n / 4)
"""Seconds that add up without rounding."""


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is moved."""
    return Clock()


@pytest.fixture
def reopening(clock: Clock) -> Reopening:
    """Of a device that is being opened."""
    reopening = Reopening(clock, opening_seconds=10.0, silent_seconds=5.0)
    reopening.opening()
    return reopening


def openings(
    reopening: Reopening,
    clock: Clock,
    seconds: float,
    *,
    fail: bool = True,
    flap: bool = False,
) -> list[float | str]:
    """When it is opened within so many seconds, counted from now, and where it is given up."""
    start, told = clock.now, list[float | str]()
    while clock.now - start < seconds:
        clock.now += STEP
        for step in reopening.check(clock.now):
            told.append(clock.now - start if step == "open" else step)
            if step == "open":
                reopening.opening()
                if flap:
                    reopening.beat()
                if fail:
                    reopening.failed()
    return told


def test_one_that_fails_is_opened_after_growing_delays_then_rarely(
    reopening: Reopening, clock: Clock
) -> None:
    """Five times within a minute; after that every half minute, without an end."""
    reopening.failed()
    told = openings(reopening, clock, 160)
    given_up = told.index("give up")
    tries = [time for time in told[:given_up] if isinstance(time, float)]
    assert tries == pytest.approx([0.5, 1.5, 3.5, 7.5, 15.5], abs=6 * STEP)
    rare = [time for time in told[given_up + 1 :] if isinstance(time, float)]
    assert len(rare) == len(told) - 6
    assert rare == pytest.approx([62, 92, 122, 152], abs=4)


def test_one_that_comes_and_goes_is_given_up_once(reopening: Reopening, clock: Clock) -> None:
    """A loose plug gives a picture each time before it fails, which counts for nothing."""
    reopening.beat()
    reopening.failed()
    told = openings(reopening, clock, 300, flap=True)
    assert told.index("give up") == 5
    assert told.count("give up") == 1
    assert "back" not in told
    assert len(told) == pytest.approx(5 + 1 + 8, abs=1)


def test_silence_is_opened_at_once_and_again_until_it_is_given_up(
    reopening: Reopening, clock: Clock
) -> None:
    """A device that hangs after it worked, and then never answers when it is opened."""
    reopening.beat()
    told = openings(reopening, clock, 100, fail=False)
    assert told[0] == pytest.approx(5.0, abs=2 * STEP)
    assert told[1] == pytest.approx(15.0, abs=4 * STEP)
    assert told[5] == "give up"


def test_one_that_works_again_starts_over(reopening: Reopening, clock: Clock) -> None:
    """After it was given up, some seconds of work make it a device like any other."""
    reopening.failed()
    openings(reopening, clock, 200)
    reopening.opening()
    reopening.beat()
    assert openings(reopening, clock, 1.0) == []
    clock.now += PROVEN_SECONDS
    reopening.beat()
    assert reopening.check(clock.now) == ["back"]
    assert reopening.check(clock.now) == []
    assert openings(reopening, clock, 6.0, fail=False) == pytest.approx([5.0], abs=2 * STEP)
    reopening.failed()
    assert openings(reopening, clock, 1.0, fail=False) == pytest.approx([0.5], abs=STEP)


def test_one_that_comes_back_by_itself_is_left_alone(reopening: Reopening, clock: Clock) -> None:
    """What hung when it was given up, and then goes on, is not opened again."""
    reopening.beat()
    told: list[float | str] = []
    while "give up" not in told:
        told += openings(reopening, clock, STEP, fail=False)
    told = []
    for _ in range(400):
        reopening.beat()
        told += openings(reopening, clock, STEP, fail=False)
    assert told == ["back"]


def test_a_slow_one_is_given_time(reopening: Reopening, clock: Clock) -> None:
    """What took 8 s to give its first picture may take 16 s the next time."""
    clock.now += 8
    reopening.beat()
    reopening.failed()
    [opened] = openings(reopening, clock, 1.0, fail=False)
    assert openings(reopening, clock, 15.0, fail=False) == []
    assert openings(reopening, clock, 2.0, fail=False) != []
    assert isinstance(opened, float)


@given(st.lists(st.tuples(quarters, st.sampled_from(["beat", "failed", "nothing"])), max_size=150))
def test_never_more_than_five_times_a_minute(steps: list[tuple[float, str]]) -> None:
    """Beyond that only the rare tries, each half a minute after the last."""
    clock = Clock()
    reopening = Reopening(clock, opening_seconds=10.0, silent_seconds=5.0)
    reopening.opening()
    opened: list[float] = []
    for seconds, step in steps:
        for _ in range(int(seconds / STEP)):
            clock.now += STEP
            for what in reopening.check(clock.now):
                if what == "open":
                    opened.append(clock.now)
                    reopening.opening()
        if step == "beat":
            reopening.beat()
        elif step == "failed":
            reopening.failed()
    for index, time in enumerate(opened):
        assert sum(t - time <= 60 for t in opened[index:]) <= 5 + 2
