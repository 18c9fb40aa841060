"""What the Python that runs this must be like."""

from __future__ import annotations

import sys

STRIPPED = 2
"""Level of optimisation from which Python drops docstrings (`-OO`, PYTHONOPTIMIZE=2)."""


def require_docstrings(level: int = sys.flags.optimize) -> None:
    """End the program where docstrings are dropped: transformers cannot be imported then.

    Every package of this project calls this when it is imported, so that it is said in one line
    before anything else.

    Raises:
        SystemExit: With code 2.
    """
    if level >= STRIPPED:
        print(
            "error: Python drops docstrings here (-OO or PYTHONOPTIMIZE=2), which the library "
            "transformers needs: unset PYTHONOPTIMIZE, or set it to 1",
            file=sys.stderr,
        )
        raise SystemExit(2)
