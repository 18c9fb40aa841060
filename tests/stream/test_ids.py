"""Time-ordered identifiers."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from stream.ids import uuid7_factory


def test_an_id_is_a_uuid_of_version_7_that_carries_its_time() -> None:
    """The layout is the one of RFC 9562: 48 bits of milliseconds, version 7, variant 10."""
    made = uuid.UUID(uuid7_factory(now_ms=lambda: 1_700_000_000_123)())
    assert made.int >> 80 == 1_700_000_000_123
    assert made.version == 7
    assert made.variant == uuid.RFC_4122


@given(st.lists(st.integers(0, 5), max_size=60))
def test_ids_grow_even_when_the_clock_stands_or_steps_back(clock: list[int]) -> None:
    """Sorting the ids as text gives the order in which they were made."""
    times = iter(clock)
    new_id = uuid7_factory(now_ms=lambda: next(times))
    made = [new_id() for _ in clock]
    assert made == sorted(set(made))


def test_more_ids_in_a_millisecond_than_the_counter_holds_keep_growing() -> None:
    """The time is moved on when the counter is full."""
    new_id = uuid7_factory(now_ms=lambda: 7)
    made = [new_id() for _ in range(5000)]
    assert made == sorted(set(made))
