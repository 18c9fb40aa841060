"""Waiting for a server."""

from __future__ import annotations

import random
from email.utils import formatdate

import pytest

from training.describe.backoff import LONGEST_ASKED_SECONDS, LONGEST_SECONDS, Backoff

NOW = 1_700_000_000.0


def longest(tries: int) -> float:
    """The longest of many waits."""
    backoff = Backoff(random.Random(1))
    return max(backoff.seconds(tries) for _ in range(2000))


def test_waits_double_up_to_a_bound() -> None:
    """Each failure doubles the longest wait, which stays below a minute."""
    assert [longest(tries) for tries in (1, 2, 3)] == pytest.approx([1, 2, 4], rel=0.02)
    assert longest(7) == pytest.approx(LONGEST_SECONDS, rel=0.02) == longest(5000)


def test_waits_differ() -> None:
    """Clients that failed together do not come back together."""
    backoff = Backoff(random.Random(1))
    waits = [backoff.seconds(5) for _ in range(100)]
    assert min(waits) < 2
    assert len(set(waits)) == 100


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 90 ", 90.0),
        (formatdate(NOW + 30, usegmt=True), 30.0),
        ("999999999999999999", LONGEST_ASKED_SECONDS),
        (formatdate(NOW + 1e7, usegmt=True), LONGEST_ASKED_SECONDS),
    ],
)
def test_the_server_s_wish_is_honoured(header: str, seconds: float) -> None:
    """Retry-After in seconds or as a date is waited for, within bounds."""
    assert Backoff(random.Random(1), clock=lambda: NOW).seconds(1, header) == seconds


@pytest.mark.parametrize("header", ["", None, "soon", "-5", "1e9", "²", formatdate(NOW - 50)])
def test_a_wish_that_means_nothing_is_passed_over(header: str | None) -> None:
    """Nonsense, or a time that is over, waits as without it."""
    assert 0 < Backoff(random.Random(1), clock=lambda: NOW).seconds(1, header) <= 1
