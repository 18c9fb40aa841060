"""Topics that no name can break out of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sinks.topics import UTTERANCES, Topics, is_filter


def test_topics() -> None:
    """The topics are those of the design."""
    topics = Topics("desk", "talk.mp4")
    assert topics.status == "bemerc/v1/desk/status"
    assert topics.info == "bemerc/v1/desk/info"
    assert topics.source_status == "bemerc/v1/desk/src/talk.mp4/status"
    assert topics.utterance("ross") == "bemerc/v1/desk/src/talk.mp4/p/ross/utterance"
    assert topics.state("ross") == "bemerc/v1/desk/src/talk.mp4/p/ross/state"


@settings(deadline=None)
@given(st.text(st.characters(), max_size=300))
def test_a_name_is_one_level(name: str) -> None:
    """Whatever a participant is called, their topic has the same levels and no wildcard."""
    topic = Topics(name, name).utterance(name)
    assert topic.count("/") == 7
    assert topic.isascii()
    assert topic.isprintable()
    assert not {"+", "#"} & set(topic)
    assert "//" not in topic
    assert len(topic) < 3_000


@pytest.mark.parametrize("text", [UTTERANCES, "#", "+", "a/#", "a/+/b", "/", "a//b", "$SYS/#"])
def test_filters(text: str) -> None:
    """What MQTT calls a filter is taken."""
    assert is_filter(text)


@pytest.mark.parametrize("text", ["", "a/#/b", "a#", "a+/b", "##", "++", "a\0b", "x" * 70_000])
def test_no_filters(text: str) -> None:
    """What MQTT forbids is not."""
    assert not is_filter(text)
