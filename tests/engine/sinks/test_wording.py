"""Events in words."""

from __future__ import annotations

from typing import Any

import pytest

from engine.sinks import wording


def test_line(make_event: Any) -> None:
    """A line says when, who, what was said, what was expressed, from what and how fast."""
    assert wording.line(make_event()) == (
        "0:03.2-0:05.9  ross  “Oh!”  expressed joy 75%  from text+audio (video: no face)  412 ms"
    )


def test_behaviour_is_told_shortly(make_event: Any) -> None:
    """On the same line, without power over the terminal, and never at its full length."""
    assert "  [Eyes closed.]  " in wording.line(make_event(behaviour="Eyes closed."))
    assert wording.behaviour(make_event()) == ""
    hostile = wording.behaviour(make_event(behaviour="\x1b[2J\n" + "word " * 100))
    assert hostile.startswith(r"[\x1b[2J word")
    assert len(hostile) <= 102


def test_line_without_text(make_event: Any) -> None:
    """An event without a transcript has no quotation marks."""
    assert "“" not in wording.line(make_event(text=None))


def test_abstention_names_no_emotion(make_event: Any) -> None:
    """No label is shown where the model is unsure, nor where there was nothing to go by."""
    event = make_event()
    object.__setattr__(event.emotion, "abstained", True)
    assert "  unsure (75% at best)  " in wording.line(event)
    assert "joy" not in wording.line(event)
    object.__setattr__(event.modalities, "used", ())
    assert "  nothing to go by  " in wording.line(event)
    assert "unsure" not in wording.line(event)
    assert "joy" not in wording.line(event)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00.0"),
        (5.94, "0:05.9"),
        (59.97, "1:00.0"),
        (3599.96, "1:00:00.0"),
        (3725.5, "1:02:05.5"),
        (-1.5, "-0:01.5"),
        (-0.01, "0:00.0"),
    ],
)
def test_clock(seconds: float, text: str) -> None:
    """Seconds become minutes and hours without ever showing 60 seconds."""
    assert wording.clock(seconds) == text


def test_latency_is_what_somebody_waited(make_event: Any) -> None:
    """Live, the stages run beside each other, and their sum with the total is no time at all."""
    live = make_event(latency_ms={"asr": 210.0, "queue": 4.0, "total": 527.0, "llm": 190.0})
    assert wording.latency(live) == "527 ms"
    assert wording.latency(make_event(latency_ms={"llm": 300.0, "audio": 12.0})) == "312 ms"
