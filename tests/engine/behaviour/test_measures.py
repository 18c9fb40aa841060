"""Tests of the table of measures and of series."""

from __future__ import annotations

import math

import pytest

from engine.behaviour.measures import Measure, Series, collect


@pytest.mark.parametrize(
    "values", [(0.0, None, 0.0), (-1.0, None, 0.0), (0.2, 0.0, 0.1), (0.2, 0.0, 0.0)]
)
def test_a_measure_that_notices_too_much_is_refused(
    values: tuple[float, float | None, float],
) -> None:
    """The tolerance for strangers is never below the smallest departure of all."""
    with pytest.raises(ValueError, match="minimum"):
        Measure(*values)


def test_frames_become_series() -> None:
    """One series per measure, of the frames that have it; what is not finite is left out."""
    frames = [
        (1.0, {"a": 1.0, "b": math.nan}),
        (1.5, {}),
        (2.0, {"a": 2.0, "b": 3.0, "c": math.inf}),
    ]
    assert collect(frames) == {"a": Series((1.0, 2.0), (1.0, 2.0)), "b": Series((2.0,), (3.0,))}


def test_a_series_out_of_order_is_refused() -> None:
    """Times ascend, and every value has one."""
    with pytest.raises(ValueError, match="ascend"):
        Series((2.0, 1.0), (0.0, 0.0))
    with pytest.raises(ValueError, match="2 times for 1"):
        Series((1.0, 2.0), (0.0,))
