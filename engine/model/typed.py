"""Typed settings from parsed JSON or TOML: unknown keys and wrong types are refused."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from typing import Any


def require(condition: bool, message: str) -> None:
    """Raise ValueError with the message where the condition does not hold."""
    if not condition:
        raise ValueError(message)


def build(kind: Any, values: Any, where: str) -> Any:
    """Make the dataclass `kind` of parsed JSON or TOML.

    Args:
        kind: A dataclass; fields may be plain types, tuples of one type, dataclasses, or dicts,
            which are taken as they are, and a plain type or a tuple.
        values: A dict.
        where: Name of the place, for the messages.

    Raises:
        ValueError: A key is unknown or missing, or a value has the wrong type or range.
    """
    require(isinstance(values, dict), f"{where} must be an object, not {type(values).__name__}")
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    known = ", ".join(hints)
    near = difflib.get_close_matches(unknown[0], hints, 1) if unknown else []
    hint = f" (did you mean {near[0]}?)" if near else ""
    require(not unknown, f"{where}: unknown key {', '.join(unknown)}{hint}; known: {known}")
    missing = [f.name for f in dataclasses.fields(kind) if _is_required(f) and f.name not in values]
    require(not missing, f"{where}: {', '.join(missing)} is missing")
    return kind(**{k: _value(hints[k], v, f"{where}.{k}") for k, v in values.items()})


def _is_required(entry: dataclasses.Field[Any]) -> bool:
    no_default = dataclasses.MISSING
    return entry.default is no_default and entry.default_factory is no_default


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return build(hint, value, where)
    if typing.get_origin(hint) is types.UnionType:
        plain, several = typing.get_args(hint)
        return _value(several if isinstance(value, (list, tuple)) else plain, value, where)
    if typing.get_origin(hint) is tuple:
        item = typing.get_args(hint)[0]
        require(isinstance(value, (list, tuple)), f"{where} must be a list")
        return tuple(_value(item, one, where) for one in value)
    if typing.get_origin(hint) is dict:
        require(isinstance(value, dict), f"{where} must be an object")
        return value
    accepted: Any = (int, float) if hint is float else hint
    fits = isinstance(value, accepted) and (hint is bool or not isinstance(value, bool))
    require(fits, f"{where} must be {getattr(hint, '__name__', hint)}, not {value!r}")
    return hint(value) if isinstance(hint, type) and not isinstance(hint, types.NoneType) else value
