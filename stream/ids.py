"""Time-ordered identifiers (UUID version 7, RFC 9562); Python has its own from 3.14 on."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable

_COUNTER_BITS = 12


def uuid7_factory(
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    random_bits: Callable[[int], int] = secrets.randbits,
) -> Callable[[], str]:
    """A function that gives a new UUID at each call, every one greater than the last.

    Within a millisecond, and when the wall clock steps back, a counter keeps the order
    (RFC 9562, 6.2, method 1).

    Args:
        now_ms: Milliseconds since the Unix epoch.
        random_bits: Gives an integer of that many random bits.
    """
    last_ms = -1
    counter = 0

    def new_id() -> str:
        nonlocal last_ms, counter
        now = now_ms()
        if now > last_ms:
            # The top bit starts clear, which leaves room to count.
            last_ms, counter = now, random_bits(_COUNTER_BITS - 1)
        else:
            counter += 1
            if counter >> _COUNTER_BITS:
                last_ms, counter = last_ms + 1, 0
        version, variant = 7, 0b10
        bits = last_ms << 80 | version << 76 | counter << 64 | variant << 62 | random_bits(62)
        return str(uuid.UUID(int=bits))

    return new_id
