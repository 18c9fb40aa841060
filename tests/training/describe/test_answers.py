"""Reading a teacher's answer."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.describe.answers import MAX_ANSWER_CHARACTERS, MAX_PART_CHARACTERS, parse_answer
from training.describe.description import PARTS, Description
from training.describe.teacher import Failure

PLAIN = {
    "facial_expression": "The brows are raised.",
    "body_language": "One hand points.",
    "posture": "Leaning forward.",
}
TEXT = json.dumps(PLAIN)
WHOLE = Description(**PLAIN)


@pytest.mark.parametrize(
    "answer",
    [
        TEXT,
        f"```json\n{TEXT}\n```",
        f"Sure! Here is what I see:\n{TEXT}\nLet me know {{if}} you need more.",
        f"{{not json}} {TEXT}",
        f'{{"thought": "first"}} {TEXT}',
        json.dumps({**PLAIN, "confidence": 0.9}),
        json.dumps({key.replace("_", " ").title(): value for key, value in PLAIN.items()}),
        json.dumps({key: f"  {value}\n " for key, value in PLAIN.items()}),
    ],
    ids=["plain", "fenced", "chatter", "brace", "another object", "extra key", "titles", "blanks"],
)
def test_an_answer_with_the_three_parts_is_a_description(answer: str) -> None:
    """Whatever stands around the JSON object, its parts are read."""
    assert parse_answer(answer) == WHOLE


def test_a_part_that_could_not_be_seen_may_be_empty() -> None:
    """One empty part leaves the other two."""
    answer = json.dumps({**PLAIN, "posture": ""})
    assert parse_answer(answer) == Description(WHOLE.facial_expression, WHOLE.body_language, "")


def test_a_part_may_be_a_list() -> None:
    """Some teachers list what they see; nothing, null or an empty list, is an empty part."""
    listed = parse_answer(json.dumps({**PLAIN, "posture": ["Upright", "leans forward."]}))
    assert isinstance(listed, Description)
    assert listed.posture == "Upright. leans forward."
    for nothing in (None, [], [" "]):
        empty = parse_answer(json.dumps({**PLAIN, "posture": nothing}))
        assert isinstance(empty, Description)
        assert empty.posture == ""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("I cannot help with that.", "no whole JSON object"),
        (TEXT[:-1], "no whole JSON object"),
        (json.dumps([1, 2]), "no whole JSON object"),
        ('{"emotion": "joy"}', "none of the keys facial_expression"),
        (json.dumps({"posture": "Upright."}), "no facial_expression, body_language"),
        (json.dumps({**PLAIN, "posture": ["Upright.", 3]}), "posture is neither a text"),
        (json.dumps({**PLAIN, "posture": {"back": "straight"}}), "posture is neither a text"),
        (json.dumps({**PLAIN, "posture": 3}), "posture is neither a text"),
        (json.dumps({**PLAIN, "posture": "..."}), "posture has no words"),
        (json.dumps(dict.fromkeys(PARTS, "")), "all parts are empty"),
        (json.dumps({**PLAIN, "posture": "a " * MAX_PART_CHARACTERS}), "posture has more than"),
        (TEXT + " " * MAX_ANSWER_CHARACTERS, "answer has more than"),
        ('{"posture":' * 700, "no whole JSON object"),
        ("[" * 3000 + TEXT[:-1], "no whole JSON object"),
    ],
)
def test_an_answer_that_cannot_be_used_says_why(answer: str, reason: str) -> None:
    """The reason names what is wrong, and the answer is kept for a person to read."""
    result = parse_answer(answer)
    assert isinstance(result, Failure)
    assert reason in result.reason
    assert answer.startswith(result.answer)
    assert not result.final


def test_control_characters_do_not_reach_the_description() -> None:
    """An answer cannot steer a terminal that shows it."""
    answer = json.dumps({**PLAIN, "posture": "Up\x1b[31mright\u202e.\u0000"})
    assert parse_answer(answer) == Description(
        WHOLE.facial_expression, WHOLE.body_language, "Up [31mright ."
    )


@given(st.text(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.text(max_size=9) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PARTS), inner),
).map(json.dumps))  # fmt: skip
def test_any_answer_is_a_description_or_a_failure(answer: str) -> None:
    """Nothing that a model can say raises."""
    result = parse_answer(answer)
    assert result.reason if isinstance(result, Failure) else result.text()
