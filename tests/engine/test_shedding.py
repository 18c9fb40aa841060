"""The frame rate under load and after it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.shedding import FULL_RATE, LATE_SECONDS, LEAST_RATE, FrameRate


def test_it_falls_fast_and_comes_back_slowly() -> None:
    """Two late seconds quarter it; ten seconds in time do not make up for that at once."""
    rate = FrameRate()
    assert not rate.lowered
    for second in range(2):
        rate.update(2 * LATE_SECONDS, second)
    assert rate.rate == FULL_RATE / 4
    assert rate.lowered
    for second in range(2, 12):
        rate.update(0.0, second)
    assert FULL_RATE / 2 < rate.rate < FULL_RATE
    for second in range(12, 20):
        rate.update(0.0, second)
    assert not rate.lowered


def test_one_change_a_second() -> None:
    """However often it is asked, a change shows its effect before the next."""
    rate = FrameRate()
    for step in range(100):
        rate.update(5.0, step / 100)
    assert rate.rate == FULL_RATE / 2


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 1e6)), max_size=60))
def test_always_within_its_bounds(updates: list[tuple[float, float]]) -> None:
    """Also with a clock that jumps."""
    rate = FrameRate()
    for lag, now in updates:
        assert LEAST_RATE <= rate.update(lag, now) <= FULL_RATE
