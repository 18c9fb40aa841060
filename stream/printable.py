"""Text that is safe to print: nothing that was said, named or sent can steer the terminal."""

from __future__ import annotations

import unicodedata

MESSAGE_LIMIT = 2_000
"""Characters of a message; longer than any of ours."""

_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that are escaped: controls, direction overrides, surrogates, separators."""
_JOINERS = "\u200c\u200d"
"""Format characters that scripts and emoji need."""


def printable(text: str, limit: int = 200) -> str:
    r"""`text` on one line of at most `limit` characters, control characters as `\x1b`."""
    shown = "".join(map(_safe, " ".join(text.split()[:limit])))
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def message(text: str) -> str:
    r"""A message for the terminal: as `printable`, but its spaces are kept as they are."""
    shown = "".join(map(_safe, text[:MESSAGE_LIMIT]))
    return shown if len(text) <= MESSAGE_LIMIT else f"{shown}…"


def _safe(character: str) -> str:
    if unicodedata.category(character) in _HARMFUL and character not in _JOINERS:
        return character.encode("unicode_escape").decode()
    return character
