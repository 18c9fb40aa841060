"""The audit: what a teacher's descriptions are like, by figures and by a person's judgement."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m training.audit`; what it needs is imported only then."""
    from training.audit.cli import main

    return main(arguments)
