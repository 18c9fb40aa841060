"""Words on a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.transcripts import FAILED, KEPT, Transcripts, Words
from stream.media import Utterance

SECONDS = 5.0
"""Longest that anything here may take."""


class Gate:
    """A recogniser of words that waits until it is let through."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, float]] = []
        self.began = threading.Event()
        self.let_through = threading.Event()

    def __call__(self, utterance: Utterance, check: Callable[[], None]) -> str:
        """Its id, and how often anything was asked for so far."""
        self.began.set()
        assert self.let_through.wait(SECONDS)
        check()
        self.heard.append((utterance.id, utterance.end))
        return f"{utterance.id} {len(self.heard)}"


def said(id: str, end: float = 1.0) -> Utterance:
    """An utterance without media."""
    return Utterance(id, "p", 0.0, end)


def test_a_stretch_is_heard_once() -> None:
    """Whoever asks, and however often."""
    gate = Gate()
    gate.let_through.set()
    transcripts = Transcripts(gate)
    transcripts.begin(said("a"))
    assert [transcripts.of(said("a")).result(SECONDS).text for _ in range(3)] == ["a 1"] * 3
    assert transcripts.of(said("a", 2.0)).result(SECONDS).text == "a 2"


def test_nothing_is_begun_ahead_while_others_wait() -> None:
    """So that no queue grows where more is said than is recognised."""
    gate = Gate()
    transcripts = Transcripts(gate)
    transcripts.begin(said("a"))
    assert gate.began.wait(SECONDS)
    for id in "bcd":
        transcripts.begin(said(id))
    gate.let_through.set()
    for id in "db":
        transcripts.of(said(id)).result(SECONDS)
    assert [id for id, _ in gate.heard] == ["a", "b", "d"]


def test_an_end_that_has_moved_is_given_up() -> None:
    """What waits of an utterance is not recognised once it goes on; what is asked for is."""
    gate = Gate()
    transcripts = Transcripts(gate)
    transcripts.begin(said("a"))
    assert gate.began.wait(SECONDS)
    transcripts.begin(said("b", 1.0))
    transcripts.begin(said("b", 2.0))
    longest = transcripts.of(said("b", 3.0))
    gate.let_through.set()
    assert longest.result(SECONDS).text == "b 2"
    assert gate.heard == [("a", 1.0), ("b", 3.0)]


def test_what_is_given_up_ends_soon() -> None:
    """In the middle, and before it is begun; who asks again after all is answered."""
    gate = Gate()
    transcripts = Transcripts(gate)
    transcripts.begin(said("a"))
    assert gate.began.wait(SECONDS)
    transcripts.begin(said("b"))
    for id in "abc":
        transcripts.give_up(said(id))
    gate.let_through.set()
    assert transcripts.of(said("a")).result(SECONDS).text == "a 1"
    assert gate.heard == [("a", 1.0)]


def test_only_so_many_are_kept() -> None:
    """Of what was said long ago nothing is in memory."""
    gate = Gate()
    gate.let_through.set()
    transcripts = Transcripts(gate)
    for number in range(KEPT + 1):
        transcripts.of(said(str(number))).result(SECONDS)
    assert transcripts.of(said("1")).result(SECONDS).text == "1 2"
    assert transcripts.of(said("0")).result(SECONDS).text == f"0 {KEPT + 2}"


@pytest.mark.parametrize("text", [None, ""])
def test_no_words(text: str | None) -> None:
    """Silence has none, and nothing is wrong with it."""
    heard = Transcripts(lambda *_: text).of(said("a")).result(SECONDS)
    known = heard.of(said("a"))
    assert (known.text, known.degraded) == (None, ())


def test_what_is_wrong_with_the_words_is_told() -> None:
    """Beside what else is wrong with the utterance."""
    heard = Transcripts(lambda *_: Words("no", ("unsure",))).of(said("a")).result(SECONDS)
    known = heard.of(replace(said("a"), degraded=("audio gap",)))
    assert (known.text, known.degraded) == ("no", ("audio gap", "unsure"))


def test_what_fails_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The utterance goes on without words, and says so beside what else is wrong with it."""

    def fail(*_: object) -> str:
        raise RuntimeError("no memory")

    ticks = iter((1.0, 1.5))
    heard = Transcripts(fail, lambda: next(ticks)).of(said("a")).result(SECONDS)
    assert heard.of(replace(said("a"), degraded=("audio gap",))).degraded == ("audio gap", FAILED)
    assert (heard.text, heard.milliseconds) == (None, 500.0)
    assert "no memory" in caplog.text
