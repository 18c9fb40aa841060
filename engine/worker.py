"""What the compute thread does with pictures, sound and utterances.

One thread calls this for everything in turn, so nothing here needs a lock.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from engine.dialogue import Turn
from engine.model.outputs import Recognition
from stream.cutter import SoundWindow
from stream.media import Utterance, VideoFrame

if TYPE_CHECKING:
    from engine.model.perceived import Perceived
    from engine.perception import Perception

logger = logging.getLogger(__name__)

Transcribe = Callable[[Utterance], str | None]

POLL_SECONDS = 0.02
"""How often it is seen, while words are recognised, whether they are still wanted."""


class NotWanted(Exception):  # noqa: N818 - nothing is wrong
    """An utterance that goes on is no longer worth recognising as it was."""


class Recognizer(Protocol):
    """The part of `engine.model.recognizer.Recognizer` that is needed live."""

    def recognize(
        self,
        utterance: Utterance,
        history: Sequence[Turn],
        perceived: Perceived | None = None,
        dialogue: str = "",
        words: Callable[[], str | None] | None = None,
    ) -> Recognition:
        """The emotion expressed in `utterance`, after the turns of `history`.

        Its text is asked of `words` where that is given, as late as it can be.
        """
        ...

    def settle(self, history: Sequence[Turn], dialogue: str = "") -> list[Turn]:
        """Make room for the next turn; returns the turns to go on with."""
        ...

    def forget(self, dialogue: str) -> None:
        """Free what is kept of a dialogue that is over."""
        ...


@dataclass(frozen=True)
class Place:
    """Who takes part in what."""

    key: str
    """Names the participant in the whole engine."""
    dialogue: str
    """Names the dialogue."""
    face: int | None = 0
    """Whose pictures count: of several people the one's with this face, None for nobody's; 0
    where there is one participant."""


@dataclass(frozen=True)
class Recognized:
    """An utterance and what was found out about it."""

    utterance: Utterance
    """With its transcript, where there is one."""
    recognition: Recognition
    turn: int
    """Position in the dialogue, from 0."""
    latency_ms: dict[str, float]
    """Milliseconds of the stages around recognition."""
    final: bool = True
    """Whether the utterance has ended."""


@dataclass
class _Heard:
    """An utterance whose words are perhaps still being recognised."""

    as_given: Utterance
    listening: Future[Utterance] | None = None
    latency_ms: dict[str, float] = field(default_factory=dict)

    @property
    def utterance(self) -> Utterance:
        """With its words; waits for them."""
        return self.as_given if self.listening is None else self.listening.result()


@dataclass
class _Dialogue:
    history: list[Turn] = field(default_factory=list)
    turns: int = 0
    keys: set[str] = field(default_factory=set)


class Worker:
    """The dialogues so far, and the models that read them.

    Args:
        recognizer: Names the emotion.
        transcribe: Gives the words of an utterance, None or "" where there are none; without
            it the text of the utterance is left as it is.
        perception: Looks and listens while people speak; without it the recogniser is given
            the utterances alone.
        clock: Seconds, for latencies.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        transcribe: Transcribe | None = None,
        *,
        perception: Perception | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._recognizer = recognizer
        self._transcribe = transcribe
        self._perception = perception
        self._clock = clock
        self.still_wanted: Callable[[], bool] = lambda: True
        """Asked before the dear part of an utterance that has not ended."""
        # Words are recognised beside voice and pictures, on a core of their own if there is one.
        self._listening = ThreadPoolExecutor(1, "words")
        self._dialogues: defaultdict[str, _Dialogue] = defaultdict(_Dialogue)
        self._tried: dict[str, Recognized] = {}  # the latest utterance that was not over, by key

    def see(self, pictures: Sequence[tuple[str, VideoFrame]]) -> None:
        """Look at the next pictures of some participants, by their keys."""
        if self._perception is not None:
            self._perception.see(pictures)

    def hear(self, key: str, window: SoundWindow) -> None:
        """Listen to a whole window of sound."""
        if self._perception is not None:
            self._perception.hear(key, window.first, window.samples)

    def turns(
        self, place: Place, utterance: Utterance, *, final: bool = True
    ) -> Iterator[Recognized]:
        """The turns of the dialogue that an utterance is: of one participant one."""
        yield self.recognize(place, utterance, final=final)

    def recognize(self, place: Place, utterance: Utterance, *, final: bool = True) -> Recognized:
        """Transcribe, recognise and describe an utterance.

        One that has ended joins the history even if that fails. One that has not leaves no
        trace but its result, which is given again where the utterance then ends just there.

        Raises:
            NotWanted: It has not ended, and `still_wanted` says no.
        """
        dialogue = self._dialogues[place.dialogue]
        dialogue.keys.add(place.key)
        tried = self._tried.pop(place.key, None)
        recognized, heard = None, _Heard(utterance)
        try:
            if tried is not None and _same(tried, utterance, dialogue.turns):
                recognized = _ended(tried, utterance)
            else:
                heard = self._listen(utterance)
                recognized = self._recognize(place, heard, dialogue, final=final)
        finally:
            if final:
                self._remember(dialogue, heard.utterance, recognized)
        recognized = self._with_behaviour(place, recognized, remember=final)
        recognized = replace(recognized, final=final)
        if not final:
            self._tried[place.key] = recognized
        return recognized

    def settle(self, dialogue: str) -> None:
        """Make room for the next turn of a dialogue, between two utterances."""
        known = self._dialogues[dialogue]
        known.history = self._recognizer.settle(known.history, dialogue)

    def leave(self, place: Place) -> None:
        """Forget a participant, and a dialogue that nobody is left in."""
        self._tried.pop(place.key, None)
        if self._perception is not None:
            self._perception.forget(place.key)
        dialogue = self._dialogues[place.dialogue]
        dialogue.keys.discard(place.key)
        if not dialogue.keys:
            del self._dialogues[place.dialogue]
            self._recognizer.forget(place.dialogue)

    def _recognize(
        self, place: Place, heard: _Heard, dialogue: _Dialogue, *, final: bool
    ) -> Recognized:
        perceived = None
        if self._perception is not None:
            perceived = self._perception.perceived(place.key, heard.as_given, place.face)
        recognition = self._recognizer.recognize(
            heard.as_given,
            tuple(dialogue.history),
            perceived,
            place.dialogue,
            lambda: self._words(heard, final),
        )
        return Recognized(heard.utterance, recognition, dialogue.turns, dict(heard.latency_ms))

    def _words(self, heard: _Heard, final: bool) -> str | None:
        """Wait for the words of an utterance, if it has not ended as long as it is wanted."""
        while not final:
            if not self.still_wanted():
                raise NotWanted
            if heard.listening is None or wait([heard.listening], POLL_SECONDS).done:
                break
        return heard.utterance.text

    def _listen(self, utterance: Utterance) -> _Heard:
        """Begin to recognise the words of an utterance."""
        heard = _Heard(utterance)
        if self._transcribe is not None:
            heard.listening = self._listening.submit(self._with_words, heard, self._transcribe)
        return heard

    def _with_words(self, heard: _Heard, transcribe: Transcribe) -> Utterance:
        """Without its words an utterance still has a voice and a face."""
        utterance = heard.as_given
        try:
            with self._timed(heard.latency_ms, "asr"):
                return utterance.with_text(transcribe(utterance) or None)
        except Exception as error:
            logger.warning("utterance at %.1f s has no transcript: %s", utterance.start, error)
            return replace(utterance, degraded=(*utterance.degraded, "transcription failed"))

    def _remember(
        self, dialogue: _Dialogue, utterance: Utterance, recognized: Recognized | None
    ) -> None:
        text = utterance.text if recognized is None else recognized.utterance.text
        inputs = None if recognized is None else recognized.recognition.inputs
        dialogue.turns += 1
        dialogue.history.append(Turn(utterance.participant, text, inputs))

    def _with_behaviour(
        self, place: Place, recognized: Recognized, *, remember: bool
    ) -> Recognized:
        """Without its behaviour an utterance still has an emotion."""
        if self._perception is None:
            return recognized
        utterance, latency_ms = recognized.utterance, dict(recognized.latency_ms)
        try:
            with self._timed(latency_ms, "behaviour"):
                seen = self._perception.behaviour(
                    place.key, utterance, place.face, remember=remember
                )
        except Exception as error:
            logger.warning("utterance at %.1f s has no behaviour: %s", utterance.start, error)
            degraded = (*utterance.degraded, "behaviour not described")
            return replace(recognized, utterance=replace(utterance, degraded=degraded))
        recognition = replace(recognized.recognition, behaviour=seen)
        return replace(recognized, recognition=recognition, latency_ms=latency_ms)

    @contextmanager
    def _timed(self, latency_ms: dict[str, float], stage: str) -> Iterator[None]:
        began = self._clock()
        yield
        latency_ms[stage] = 1000 * (self._clock() - began)


def _same(tried: Recognized, utterance: Utterance, turns: int) -> bool:
    """Whether what was tried is this utterance, and nobody has spoken since."""
    before, stretch = (
        (one.id, one.participant, one.start, one.end) for one in (tried.utterance, utterance)
    )
    return before == stretch and tried.turn == turns


def _ended(tried: Recognized, utterance: Utterance) -> Recognized:
    """The result for the same stretch, with what is known of its media by now."""
    lost = utterance.frames_dropped, utterance.degraded
    known = replace(tried.utterance, frames_dropped=lost[0], degraded=lost[1])
    if "transcription failed" in tried.utterance.degraded:
        known = replace(known, degraded=(*known.degraded, "transcription failed"))
    return replace(tried, utterance=known)
