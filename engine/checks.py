"""Checks of the values in an event; every refusal names the field by its path.

A path is how a reader of the JSON document would write it: `data.window.start`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

STRING_LIMIT = 256
"""Characters of an identifier, a label or a reason."""
NAME_LIMIT = 64
"""Characters of a name that becomes part of a topic."""
ITEMS_LIMIT = 256
"""Entries of a mapping or a list."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that no identifier holds: controls, lone surrogates, line separators."""


def member(values: Mapping[str, object], key: str, prefix: str = "") -> object:
    """The value under `key`, or a ValueError that it is missing."""
    if key not in values:
        raise ValueError(f"{prefix}{key}: is missing")
    return values[key]


def mapping(path: str, value: object) -> Mapping[str, object]:
    """A JSON object of bounded size."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{path}: must be an object, not {_kind(value)}")
    if len(value) > ITEMS_LIMIT:
        raise ValueError(f"{path}: must have at most {ITEMS_LIMIT} entries, not {len(value)}")
    for key in value:
        string(f"{path} (key)", key)
    return value


def numbers(path: str, value: object, *, low: float = -math.inf, high: float = math.inf) -> None:
    """A JSON object of numbers within [low, high]."""
    for key, entry in mapping(path, value).items():
        number(f"{path}.{key}", entry, low=low, high=high)


def number(path: str, value: object, *, low: float = -math.inf, high: float = math.inf) -> None:
    """A finite number within [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{path}: must be a number, not {_kind(value)}")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an integer beyond the floats
        finite = False
    if not finite:
        raise ValueError(f"{path}: must be a finite number")
    if not low <= value <= high:
        raise ValueError(f"{path}: must be within [{low}, {high}], not {value}")


def integer(path: str, value: object) -> None:
    """A whole number from 0 that every JSON reader keeps exactly."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{path}: must be a whole number, not {_kind(value)}")
    if not 0 <= value < 2**53:
        raise ValueError(f"{path}: must be within [0, 2^53)")


def boolean(path: str, value: object) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{path}: must be true or false, not {_kind(value)}")


def string(path: str, value: object) -> str:
    """A short, non-empty string without control characters."""
    text = prose(path, value, limit=STRING_LIMIT)
    if not text:
        raise ValueError(f"{path}: must not be empty")
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        raise ValueError(f"{path}: must not contain control characters")
    return text


def prose(path: str, value: object, *, limit: int) -> str:
    """Any text of valid Unicode, of at most `limit` characters."""
    if not isinstance(value, str):
        raise ValueError(f"{path}: must be a string, not {_kind(value)}")
    if len(value) > limit:
        raise ValueError(f"{path}: must have at most {limit} characters, not {len(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{path}: must be valid Unicode, without lone surrogates") from None
    return value


def entries(path: str, value: object) -> tuple[Any, ...]:
    """A list of bounded length, of anything."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(f"{path}: must be a list, not {_kind(value)}")
    if len(value) > ITEMS_LIMIT:
        raise ValueError(f"{path}: must have at most {ITEMS_LIMIT} entries, not {len(value)}")
    return tuple(value)


def strings(path: str, value: object) -> tuple[str, ...]:
    """A list of short strings."""
    listed = entries(path, value)
    return tuple(string(f"{path}[{position}]", entry) for position, entry in enumerate(listed))


def choice(path: str, value: object, legal: Sequence[str]) -> None:
    """One of the legal strings."""
    if not isinstance(value, str) or value not in legal:
        shown = repr(value[:STRING_LIMIT]) if isinstance(value, str) else _kind(value)
        raise ValueError(f"{path}: must be {' or '.join(map(repr, legal))}, not {shown}")


def sha256(path: str, value: object) -> None:
    """64 lower-case hexadecimal digits."""
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError(f"{path}: must be 64 lower-case hexadecimal digits")


def utc(path: str, value: object) -> datetime:
    """A point in time with a time zone, as UTC."""
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise ValueError(f"{path}: must have a time zone")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{path}: must be within the years 1 to 9999") from None


def rfc3339(path: str, value: object) -> datetime:
    """An RFC 3339 timestamp, as UTC."""
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        try:
            return utc(path, datetime.fromisoformat(value.upper()))
        except ValueError as error:
            raise ValueError(f"{path}: must be an RFC 3339 timestamp ({error})") from None
    raise ValueError(f"{path}: must be an RFC 3339 timestamp such as 2026-01-31T12:00:00Z")


def name(text: str) -> str:
    """The nearest text that can name a node, a source or a participant.

    Names reach topics and come from host names, file names and meetings, so they are
    made to fit instead of being refused: controls out, at most `NAME_LIMIT` characters.
    """
    kept = (c for c in text if unicodedata.category(c) not in _UNPRINTABLE)
    return "".join(kept).strip()[:NAME_LIMIT].strip() or "unnamed"


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__
