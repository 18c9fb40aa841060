"""Transcript, history, speculation and failures on the compute thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from engine.behaviour import Behaviour
from engine.dialogue import Turn
from engine.giving_up import Check, go_on
from engine.model.outputs import Recognition
from engine.worker import NotWanted, Place, Recognized, Worker
from stream.media import Utterance

A, B = Place("1/a", "talk"), Place("2/b", "talk")
PLACES = {"a": A, "b": B}


class Listener:
    """A recogniser that remembers what it was given, and fails on the word "mumble"."""

    def __init__(self) -> None:
        self.heard: list[tuple[str | None, tuple[Turn, ...]]] = []
        self.forgotten: list[str] = []
        self.keeps = 1_000

    def recognize(
        self,
        utterance: Utterance,
        history: Sequence[Turn],
        perceived: object = None,
        dialogue: str = "",
        words: Callable[[], str | None] | None = None,
        check: Check = go_on,
    ) -> Recognition:
        """Always neutral."""
        text = words() if words else utterance.text
        check()
        if text == "mumble":
            raise RuntimeError("not understood")
        self.heard.append((text, tuple(history)))
        return Recognition({"neutral": 1.0})

    def settle(self, history: Sequence[Turn], dialogue: str = "") -> list[Turn]:
        """Keep the latest turns."""
        return list(history[-self.keeps :])

    def forget(self, dialogue: str) -> None:
        """Note it."""
        self.forgotten.append(dialogue)


class Senses:
    """A perception that has seen some behaviour."""

    def __init__(self, seen: Callable[[], Behaviour | None]) -> None:
        self.seen = seen
        self.asked: list[tuple[str, bool]] = []
        self.left: list[str] = []

    def perceived(self, key: str, utterance: Utterance, face: int | None) -> None:
        """Nothing."""

    def behaviour(
        self, key: str, utterance: Utterance, face: int | None, *, remember: bool
    ) -> Behaviour | None:
        """What was seen."""
        self.asked.append((key, remember))
        return self.seen()

    def forget(self, key: str) -> None:
        """Note it."""
        self.left.append(key)


def utterance(number: int, participant: str = "a") -> Utterance:
    """An utterance whose start tells its number."""
    return Utterance(id=str(number), participant=participant, start=number, end=number + 1)


def finish(worker: Worker, said: Utterance) -> Recognized:
    """The utterance has ended."""
    return worker.recognize(PLACES[said.participant], said)


def test_history_is_all_earlier_turns_of_everybody() -> None:
    """Each utterance is read after what all participants said before it."""
    listener = Listener()
    worker = Worker(listener, lambda u, _: f"words {u.id}")
    turns = [finish(worker, utterance(n, who)).turn for n, who in enumerate("abab")]
    assert turns == [0, 1, 2, 3]
    assert listener.heard[0] == ("words 0", ())
    assert listener.heard[3][1] == (
        Turn("a", "words 0"),
        Turn("b", "words 1"),
        Turn("a", "words 2"),
    )


def test_an_utterance_of_one_participant_is_one_turn() -> None:
    """Of whatever length, and under their own name."""
    (turn,) = Worker(Listener()).turns(A, replace(utterance(0), end=15.0))
    assert (turn.utterance.participant, turn.utterance.end, turn.final) == ("a", 15.0, True)


def test_dialogues_do_not_mix() -> None:
    """Two rooms have two histories; one that everybody left is forgotten."""
    listener = Listener()
    worker = Worker(listener, lambda u, _: f"words {u.id}")
    other = Place("3/a", "other")
    finish(worker, utterance(0))
    assert worker.recognize(other, utterance(1)).turn == 0
    assert listener.heard[-1][1] == ()
    finish(worker, utterance(2, "b"))
    worker.leave(A)
    worker.leave(other)
    worker.end("other")
    assert listener.forgotten == ["other"]
    assert finish(worker, utterance(3, "b")).turn == 2
    worker.leave(B)
    worker.end("talk")
    assert listener.forgotten == ["other", "talk"]


def test_what_was_encoded_is_remembered() -> None:
    """The next utterance is read after the voice and face of this one, not its words alone."""
    encoded: Any = object()

    class Encoder(Listener):
        """Gives its encoded inputs along."""

        def recognize(self, *arguments: Any) -> Recognition:
            return replace(super().recognize(*arguments), inputs=encoded)

    listener = Encoder()
    worker = Worker(listener)
    for number in range(2):
        finish(worker, utterance(number))
    ((_, first), (_, second)) = listener.heard
    assert first == ()
    assert second[0].inputs is encoded


def test_what_was_tried_in_a_pause_is_the_result_if_that_was_all() -> None:
    """Nothing is computed twice, and the utterance joins the history once."""
    listener = Listener()
    worker = Worker(listener, lambda u, _: f"words {u.id}")
    tried = worker.recognize(A, utterance(0), final=False)
    ended = finish(worker, replace(utterance(0), degraded=("audio gap",), frames_dropped=2))
    assert (tried.final, ended.final) == (False, True)
    assert ended.recognition == tried.recognition
    assert (ended.utterance.degraded, ended.utterance.frames_dropped) == (("audio gap",), 2)
    assert ended.utterance.text == "words 0"
    assert len(listener.heard) == 1
    finish(worker, utterance(1))
    assert listener.heard[-1][1] == (Turn("a", "words 0"),)


def test_what_was_tried_is_void_when_more_is_said() -> None:
    """Neither a longer utterance nor one after somebody else's takes the old result."""
    listener = Listener()
    worker = Worker(listener, lambda u, _: f"words {u.id} to {u.end}")
    worker.recognize(A, utterance(0), final=False)
    longer = finish(worker, replace(utterance(0), end=3.0))
    assert longer.utterance.text == "words 0 to 3.0"
    worker.recognize(A, utterance(4), final=False)
    finish(worker, utterance(3, "b"))
    assert finish(worker, utterance(4)).turn == 2
    assert [len(history) for _, history in listener.heard] == [0, 0, 1, 1, 2]


def test_a_dialogue_settles_between_utterances() -> None:
    """What the recogniser keeps of the history is what goes on."""
    listener = Listener()
    listener.keeps = 2
    worker = Worker(listener, lambda u, _: u.id)
    for number in range(6):
        finish(worker, utterance(number))
        worker.settle("talk")
    assert [len(history) for _, history in listener.heard] == [0, 1, 2, 2, 2, 2]
    assert finish(worker, utterance(6)).turn == 6


def test_without_transcriber_the_text_stays() -> None:
    """A source that brings its own words keeps them."""
    recognized = finish(Worker(Listener()), utterance(0).with_text("given"))
    assert recognized.utterance.text == "given"
    assert recognized.latency_ms == {}


def test_no_words_is_no_text() -> None:
    """Nothing said is an absent text, not an empty one."""
    assert finish(Worker(Listener(), lambda *_: ""), utterance(0)).utterance.text is None


def test_a_failing_transcriber_costs_only_the_text(caplog: pytest.LogCaptureFixture) -> None:
    """The emotion is still recognised, the event says why there is no text."""

    def broken(*_: object) -> str:
        raise RuntimeError("no ears")

    worker = Worker(Listener(), broken)
    worker.recognize(A, utterance(3), final=False)
    recognized = finish(worker, utterance(3))
    assert recognized.utterance.text is None
    assert recognized.utterance.degraded == ("transcription failed",)
    assert caplog.messages == ["utterance at 3.0 s has no transcript: no ears"]


def test_an_unrecognised_utterance_was_still_said() -> None:
    """Its words are part of the dialogue that the next one is read in."""
    listener = Listener()
    worker = Worker(listener)
    for final in (False, True):  # a speculation that fails leaves no trace
        with pytest.raises(RuntimeError):
            worker.recognize(A, utterance(0).with_text("mumble"), final=final)
    assert finish(worker, utterance(1).with_text("pardon?")).turn == 1
    assert listener.heard == [("pardon?", (Turn("a", "mumble"),))]


def test_time_of_transcription_is_reported() -> None:
    """The latency is in milliseconds of the clock given."""
    clock = iter([1.0, 1.25])
    worker = Worker(Listener(), lambda *_: "words", clock=lambda: next(clock))
    assert finish(worker, utterance(0)).latency_ms == {"asr": 250.0}


def test_behaviour_counts_as_usual_only_once_an_utterance_has_ended() -> None:
    """It is told of one that goes on, too; its time is reported."""
    senses: Any = Senses(lambda: Behaviour("Eyes closed."))
    clock = iter([1.0, 1.25, 2.0, 2.5])
    worker = Worker(Listener(), perception=senses, clock=lambda: next(clock))
    tried = worker.recognize(A, utterance(0), final=False)
    told = finish(worker, utterance(0))
    assert tried.recognition.behaviour == told.recognition.behaviour == Behaviour("Eyes closed.")
    assert told.latency_ms == {"behaviour": 500.0}
    assert senses.asked == [("1/a", False), ("1/a", True)]
    worker.leave(A)
    assert senses.left == ["1/a"]


def test_a_failing_observer_costs_only_the_behaviour(caplog: pytest.LogCaptureFixture) -> None:
    """The event has its emotion, and says why it has no behaviour."""

    def broken() -> Behaviour:
        raise RuntimeError("no eyes")

    senses: Any = Senses(broken)
    told = finish(Worker(Listener(), perception=senses), utterance(3))
    assert told.recognition.label == "neutral"
    assert told.recognition.behaviour is None
    assert told.utterance.degraded == ("behaviour not described",)
    assert caplog.messages == ["utterance at 3.0 s has no behaviour: no eyes"]


def test_what_is_no_longer_wanted_is_not_recognised() -> None:
    """A try is given up before the dear part; an utterance that has ended never is."""
    listener = Listener()
    worker = Worker(listener, lambda u, _: f"words {u.id}")

    def check() -> None:
        raise NotWanted

    with pytest.raises(NotWanted):
        worker.recognize(A, utterance(0), final=False, check=check)
    assert listener.heard == []
    ended = worker.recognize(A, utterance(0), check=check)
    assert ended.utterance.text == "words 0"


def test_a_try_is_given_up_while_it_is_read() -> None:
    """Where its speech goes on, at once, and leaves no trace."""
    listener = Listener()
    worker = Worker(listener, lambda u, _: f"words {u.id}")
    wanted = True

    def check() -> None:
        if not wanted:
            raise NotWanted

    def recognize(*arguments: Any) -> Recognition:
        nonlocal wanted
        arguments[-1]()
        wanted = False
        arguments[-1]()
        raise AssertionError("it was read to the end")

    listener.recognize = recognize  # type: ignore[method-assign]
    with pytest.raises(NotWanted):
        worker.recognize(A, utterance(0), final=False, check=check)


def test_words_that_were_begun_are_not_recognised_again() -> None:
    """They may be asked for before anything else of the utterance is done."""
    heard: list[str] = []

    def transcribe(said: Utterance, _: object) -> str:
        heard.append(said.id)
        return f"words {said.id}"

    worker = Worker(Listener(), transcribe)
    worker.listen(utterance(0))
    assert finish(worker, utterance(0)).utterance.text == "words 0"
    assert heard == ["0"]
    Worker(Listener()).listen(utterance(1))


@pytest.mark.parametrize(("word", "turns"), [("No.", 1), ("", 0)])
def test_a_short_sound_is_a_turn_only_if_a_word_is_heard(word: str, turns: int) -> None:
    """Without one the dialogue knows nothing of it."""
    listener = Listener()
    texts = iter([word, "hello"])
    worker = Worker(listener, lambda *_: next(texts))
    sound = replace(utterance(0), short=True)
    place = Place("a", "d")
    assert len(list(worker.turns(place, sound))) == turns
    (after,) = worker.turns(place, utterance(1))
    assert after.turn == turns
    assert [turn.text for turn in listener.heard[-1][1]] == [word] * turns
