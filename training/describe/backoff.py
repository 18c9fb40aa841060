"""How long to wait before a server is asked again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 60.0
LONGEST_ASKED_SECONDS = 300.0
"""What a server may ask for with Retry-After."""


@dataclass(frozen=True)
class Backoff:
    """Exponential, with full jitter, so that many clients do not come back at one moment.

    Retry-After: RFC 9110, section 10.2.3.
    """

    random: random.Random = field(default_factory=random.Random)
    clock: Callable[[], float] = time.time
    """Seconds since 1970, for a Retry-After that is a date."""

    def seconds(self, tries: int, retry_after: str | None = None) -> float:
        """How long to wait.

        Args:
            tries: That have failed, at least 1.
            retry_after: The server's header; one that means nothing is passed over.
        """
        ceiling = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(tries - 1, 10))
        jittered = self.random.uniform(0, ceiling)
        return max(jittered, min(LONGEST_ASKED_SECONDS, self._asked(retry_after)))

    def _asked(self, header: str | None) -> float:
        text = (header or "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        try:
            return parsedate_to_datetime(text).timestamp() - self.clock()
        except (ValueError, OverflowError):
            return 0.0
