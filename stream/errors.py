"""Errors that a caller acts on.

    BemercError
    └── UserError    something only the user can put right; shown as one line, exit code 2

Everything else (a wrong argument between our own modules) is a ValueError or TypeError.
"""

from __future__ import annotations


class BemercError(Exception):
    """Base of the errors raised on purpose by this project."""


class UserError(BemercError):
    """What is wrong, and what to do next, in one line for the person at the terminal."""
