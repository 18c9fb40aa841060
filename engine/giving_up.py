"""Work that is given up half-way, because nobody wants its result any more.

Whoever does it calls a `Check` now and then, which raises `NotWanted`.
"""

from __future__ import annotations

from collections.abc import Callable

Check = Callable[[], object]
"""Returns while the work is wanted, and raises what ends it when it is not."""


class NotWanted(Exception):  # noqa: N818 - nothing is wrong
    """Nobody wants the result any more."""


def go_on() -> None:
    """The check of work that is always wanted."""
