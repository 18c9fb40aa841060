"""Tables and numbers as a model card has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, rule, *rows))


def code(*lines: str) -> str:
    """Commands in a block."""
    return "\n".join(("```", *lines, "```"))


def percent(share: float) -> str:
    """A fraction from 0 to 1 as `12.3`."""
    return f"{100 * share:.1f}"
