"""Behaviour descriptions: what a teacher sees a speaker do while speaking (paper, stage 1)."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m training.describe`; what it needs is imported only then."""
    from training.describe.cli import main

    return main(arguments)
