"""Transcript, history and failures on the worker thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.behaviour import Behaviour
from engine.dialogue import Turn
from engine.faces import Box
from engine.model.outputs import Recognition
from engine.worker import HISTORY_TURNS, Worker
from stream.media import Utterance, VideoFrame


class Listener:
    """A recogniser that remembers what it was given, and fails on the word "mumble"."""

    def __init__(self) -> None:
        self.heard: list[tuple[str | None, tuple[Turn, ...]]] = []

    def recognize(self, utterance: Utterance, history: Sequence[Turn]) -> Recognition:
        """Always neutral."""
        if utterance.text == "mumble":
            raise RuntimeError("not understood")
        self.heard.append((utterance.text, tuple(history)))
        return Recognition({"neutral": 1.0})


def utterance(number: int, participant: str = "a") -> Utterance:
    """An utterance whose start tells its number."""
    return Utterance(id=str(number), participant=participant, start=number, end=number + 1)


def test_history_is_all_earlier_turns_of_everybody() -> None:
    """Each utterance is read after what all participants said before it."""
    listener = Listener()
    worker = Worker(listener, lambda u: f"words {u.id}")
    turns = [worker(utterance(n, who)).turn for n, who in enumerate("abab")]
    assert turns == [0, 1, 2, 3]
    assert listener.heard[0] == ("words 0", ())
    assert listener.heard[3][1] == (
        Turn("a", "words 0"),
        Turn("b", "words 1"),
        Turn("a", "words 2"),
    )


def test_what_was_encoded_is_remembered() -> None:
    """The next utterance is read after the voice and face of this one, not its words alone."""
    encoded: Any = object()

    class Encoder(Listener):
        """Gives its encoded inputs along."""

        def recognize(self, utterance: Utterance, history: Sequence[Turn]) -> Recognition:
            return replace(super().recognize(utterance, history), inputs=encoded)

    listener = Encoder()
    worker = Worker(listener)
    for number in range(2):
        worker(utterance(number))
    ((_, first), (_, second)) = listener.heard
    assert first == ()
    assert second[0].inputs is encoded


def test_without_transcriber_the_text_stays() -> None:
    """A source that brings its own words keeps them."""
    recognized = Worker(Listener())(utterance(0).with_text("given"))
    assert recognized.utterance.text == "given"
    assert recognized.latency_ms == {}


def test_no_words_is_no_text() -> None:
    """Nothing said is an absent text, not an empty one."""
    assert Worker(Listener(), lambda _: "")(utterance(0)).utterance.text is None


def test_a_failing_transcriber_costs_only_the_text(caplog: pytest.LogCaptureFixture) -> None:
    """The emotion is still recognised, the event says why there is no text."""

    def broken(_: Utterance) -> str:
        raise RuntimeError("no ears")

    recognized = Worker(Listener(), broken)(utterance(3))
    assert recognized.utterance.text is None
    assert recognized.utterance.degraded == ("transcription failed",)
    assert caplog.messages == ["utterance at 3.0 s has no transcript: no ears"]


def test_an_unrecognised_utterance_was_still_said() -> None:
    """Its words are part of the dialogue that the next one is read in."""
    listener = Listener()
    worker = Worker(listener)
    with pytest.raises(RuntimeError):
        worker(utterance(0).with_text("mumble"))
    assert worker(utterance(1).with_text("pardon?")).turn == 1
    assert listener.heard == [("pardon?", (Turn("a", "mumble"),))]


def test_history_is_bounded_and_drops_half_at_once() -> None:
    """A long conversation keeps its latest turns, and its prefix stays still in between."""
    listener = Listener()
    worker = Worker(listener, lambda u: u.id)
    for number in range(HISTORY_TURNS + 3):
        worker(utterance(number))
    lengths = [len(history) for _, history in listener.heard]
    assert max(lengths) == HISTORY_TURNS
    assert lengths[-2:] == [HISTORY_TURNS // 2 + 1, HISTORY_TURNS // 2 + 2]
    assert listener.heard[-1][1][-1].text == str(HISTORY_TURNS + 1)


def test_time_of_transcription_is_reported() -> None:
    """The latency is in milliseconds of the clock given."""
    clock = iter([1.0, 1.25])
    worker = Worker(Listener(), lambda _: "words", clock=lambda: next(clock))
    assert worker(utterance(0)).latency_ms == {"asr": 250.0}


BOX = Box(1.0, 1.0, 3.0, 3.0)


class Tracker(Listener):
    """A recogniser that has found a face in every frame."""

    def recognize(self, utterance: Utterance, history: Sequence[Turn]) -> Recognition:
        """Always neutral."""
        found = super().recognize(utterance, history)
        return replace(found, faces=(BOX,) * len(utterance.frames))


def filmed(number: int, participant: str = "a") -> Utterance:
    """An utterance with two pictures."""
    picture = np.zeros((4, 4, 3), np.uint8)
    frames = tuple(VideoFrame(number + share, picture) for share in (0.2, 0.8))
    return replace(utterance(number, participant), frames=frames)


def test_behaviour_is_read_from_the_faces_that_are_known() -> None:
    """The observer is told who is seen and where; its time is reported."""
    asked: list[tuple[object, ...]] = []

    def observe(
        who: str, frames: Sequence[VideoFrame], boxes: Sequence[Box | None] | None = None
    ) -> Behaviour:
        asked.append((who, frames, boxes))
        return Behaviour("Eyes closed.")

    clock = iter([1.0, 1.25])
    worker = Worker(Tracker(), observe=observe, clock=lambda: next(clock))
    told = worker(filmed(0, "b"))
    assert told.recognition.behaviour == Behaviour("Eyes closed.")
    assert told.latency_ms == {"behaviour": 250.0}
    assert asked == [("b", told.utterance.frames, (BOX, BOX))]


def test_without_pictures_nobody_is_observed() -> None:
    """There is no behaviour, and none is missed."""

    def observe(*_: object) -> Behaviour:
        raise AssertionError("asked without pictures")

    told = Worker(Listener(), observe=observe)(utterance(0))
    assert told.recognition.behaviour is None
    assert (told.latency_ms, told.utterance.degraded) == ({}, ())


def test_a_failing_observer_costs_only_the_behaviour(caplog: pytest.LogCaptureFixture) -> None:
    """The event has its emotion, and says why it has no behaviour."""

    def broken(*_: object) -> Behaviour:
        raise RuntimeError("no eyes")

    told = Worker(Tracker(), observe=broken)(filmed(3))
    assert told.recognition.label == "neutral"
    assert told.recognition.behaviour is None
    assert told.utterance.degraded == ("behaviour not described",)
    assert caplog.messages == ["utterance at 3.0 s has no behaviour: no eyes"]
