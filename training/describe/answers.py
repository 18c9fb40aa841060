"""From what a teacher answers to a description, or to the reason why it is none."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from training.describe.description import PARTS, Description
from training.describe.teacher import Failure

MAX_PART_CHARACTERS = 500
"""Of one part; two sentences of English have less than half of it."""
MAX_ANSWER_CHARACTERS = 8_000
"""A longer answer is not searched for JSON."""
KEPT_CHARACTERS = 1_000
"""Of an answer that cannot be used."""


def parse_answer(answer: str) -> Description | Failure:
    """Read the JSON object of an answer, also within a code fence or between other words.

    Keys are taken without regard to case and word separators (`Facial Expression`), other
    keys are passed over; of several objects the first that has a part counts.
    """
    if not answer.strip():
        return _unusable("the answer is empty", answer)
    if len(answer) > MAX_ANSWER_CHARACTERS:
        return _unusable(f"the answer has more than {MAX_ANSWER_CHARACTERS} characters", answer)
    problem = "the answer has no whole JSON object"
    for candidate in _objects(answer):
        parts = {_normal(key): value for key, value in candidate.items()}
        if set(parts) & set(PARTS):
            return _describe(parts, answer)
        problem = f"the answer's JSON has none of the keys {', '.join(PARTS)}"
    return _unusable(problem, answer)


def _describe(parts: Mapping[str, Any], answer: str) -> Description | Failure:
    missing = [name for name in PARTS if name not in parts]
    if missing:
        return _unusable(f"the answer's JSON has no {', '.join(missing)}", answer)
    texts = {}
    for name in PARTS:
        text = _text(parts[name])
        if text is None:
            return _unusable(f"{name} is neither a text nor a list of texts", answer)
        texts[name] = _one_line(text)
        if len(texts[name]) > MAX_PART_CHARACTERS:
            return _unusable(f"{name} has more than {MAX_PART_CHARACTERS} characters", answer)
        if texts[name] and not any(map(str.isalpha, texts[name])):
            return _unusable(f"{name} has no words", answer)
    if not any(texts.values()):
        return _unusable("all parts are empty", answer)
    return Description(**texts)


def _text(value: Any) -> str | None:
    """A part in one string: some teachers list what they see; null is nothing seen."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return None
    found = [one.strip() for one in value if isinstance(one, str)]
    if len(found) < len(value):
        return None
    return " ".join(one if one.endswith((".", "!", "?")) else f"{one}." for one in found if one)


def _objects(answer: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a text that are not within another one."""
    decoder = json.JSONDecoder()
    start = answer.find("{")
    while start >= 0:
        end = start + 1
        try:
            value, end = decoder.raw_decode(answer, start)
            yield value
        except (ValueError, RecursionError):
            pass  # this brace opens no object: the next one may
        start = answer.find("{", end)


def _normal(key: str) -> str:
    return "_".join(key.lower().replace("-", " ").replace("_", " ").split())


def _one_line(text: str) -> str:
    blank = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    return " ".join(blank.split())


def _unusable(reason: str, answer: str) -> Failure:
    return Failure(reason, answer[:KEPT_CHARACTERS])
