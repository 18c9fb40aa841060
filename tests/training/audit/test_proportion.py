"""Shares and Wilson's interval."""

from __future__ import annotations

import pytest

from training.audit.proportion import Proportion


def test_wilson_interval_of_a_published_example() -> None:
    """81 of 263 is 0.2553 to 0.3662 (Newcombe, 1998, table I, method 3)."""
    low, high = Proportion(81, 263).interval or (0, 0)

    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@pytest.mark.parametrize(
    ("count", "n", "expected"), [(0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))]
)
def test_wilson_interval_near_zero(count: int, n: int, expected: tuple[float, float]) -> None:
    """It stays within 0 and 1 and is not empty where nothing was seen (Newcombe, 1998)."""
    assert Proportion(count, n).interval == pytest.approx(expected, abs=5e-5)


def test_share_of_nothing_is_unknown() -> None:
    """Of no items there is neither share nor interval."""
    nothing = Proportion.of([])

    assert nothing.to_dict() == {"count": 0, "n": 0, "share": None, "low": None, "high": None}


def test_of_counts_what_is_true() -> None:
    """Three of four."""
    assert Proportion.of([True, False, True, True]) == Proportion(3, 4)


@pytest.mark.parametrize(("count", "n"), [(2, 1), (-1, 3)])
def test_impossible_counts_are_refused(count: int, n: int) -> None:
    """No more than all, no fewer than none."""
    with pytest.raises(ValueError, match="is no share"):
        Proportion(count, n)
