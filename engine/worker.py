"""What the compute thread does with pictures, sound and utterances.

One thread calls this for everything in turn, so nothing here needs a lock; but `listen` and
`give_up` may be called from any.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from engine.dialogue import Turn
from engine.giving_up import Check, NotWanted, go_on
from engine.model.outputs import Recognition
from engine.transcripts import Transcribe, Transcript, Transcripts
from stream.cutter import SoundWindow
from stream.media import Utterance, VideoFrame

if TYPE_CHECKING:
    from engine.model.perceived import Perceived
    from engine.perception import Perception

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.02
"""How often it is seen, while words are recognised, whether they are still wanted."""


class Recognizer(Protocol):
    """The part of `engine.model.recognizer.Recognizer` that is needed live."""

    def recognize(
        self,
        utterance: Utterance,
        history: Sequence[Turn],
        perceived: Perceived | None = None,
        dialogue: str = "",
        words: Callable[[], str | None] | None = None,
        check: Check = go_on,
    ) -> Recognition:
        """The emotion expressed in `utterance`, after the turns of `history`.

        Its text is asked of `words` where that is given, as late as it can be. `check` is called
        time and again, and ends it by what it raises.
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
class _Dialogue:
    history: list[Turn] = field(default_factory=list)
    turns: int = 0


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
        self._transcripts = Transcripts(transcribe, clock) if transcribe else None
        self._perception = perception
        self._clock = clock
        self._dialogues: defaultdict[str, _Dialogue] = defaultdict(_Dialogue)
        self._tried: dict[str, Recognized] = {}  # the latest utterance that was not over, by key

    def listen(self, utterance: Utterance) -> None:
        """Begin to recognise words that will be asked for; from any thread.

        They are recognised beside voice and pictures, on a core of their own if there is one.
        """
        if self._transcripts is not None:
            self._transcripts.begin(utterance)

    def give_up(self, utterance: Utterance) -> None:
        """Nobody will ask for the words of an utterance with this end; from any thread."""
        if self._transcripts is not None:
            self._transcripts.give_up(utterance)

    def see(self, pictures: Sequence[tuple[str, VideoFrame]]) -> None:
        """Look at the next pictures of some participants, by their keys."""
        if self._perception is not None:
            self._perception.see(pictures)

    def hear(self, key: str, window: SoundWindow) -> None:
        """Listen to a whole window of sound."""
        if self._perception is not None:
            self._perception.hear(key, window.first, window.samples)

    def turns(
        self, place: Place, utterance: Utterance, *, final: bool = True, check: Check = go_on
    ) -> Iterator[Recognized]:
        """The turns of the dialogue that an utterance is: of one participant one.

        A short sound without a word is no turn.
        """
        if self.is_too_short(utterance):
            return
        yield self.recognize(place, utterance, final=final, check=check)

    def is_too_short(self, utterance: Utterance) -> bool:
        """Whether it is a short sound in which no word is heard; waits for its words."""
        return utterance.short and self._said(utterance).text is None

    def recognize(
        self, place: Place, utterance: Utterance, *, final: bool = True, check: Check = go_on
    ) -> Recognized:
        """Transcribe, recognise and describe an utterance.

        One that has ended joins the history even if that fails, and is never given up. One that
        has not leaves no trace but its result, which is given again where the utterance then ends
        just there.

        Raises:
            NotWanted: Raised by `check`.
        """
        dialogue = self._dialogues[place.dialogue]
        tried = self._tried.pop(place.key, None)
        recognized = None
        try:
            if tried is not None and _same(tried, utterance, dialogue.turns):
                recognized = replace(tried, utterance=self._said(utterance))
            else:
                wanted = go_on if final else check
                recognized = self._recognize(place, utterance, dialogue, wanted)
        finally:
            if final:
                self._remember(dialogue, utterance, recognized)
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
        """Forget a participant. Whether others are in the dialogue, only `Compute` knows."""
        self._tried.pop(place.key, None)
        if self._perception is not None:
            self._perception.forget(place.key)

    def end(self, dialogue: str) -> None:
        """Forget a dialogue that nobody takes part in any more."""
        self._dialogues.pop(dialogue, None)
        self._recognizer.forget(dialogue)

    def take_over(self, other: Worker, dialogues: Collection[str]) -> None:
        """Go on with dialogues of a worker that has hung, turn for turn.

        What that worker had seen of people, and what is usual for them, is learned anew.
        """
        for name, known in dict(other._dialogues).items():
            if name in dialogues:
                self._dialogues[name] = _Dialogue(list(known.history), known.turns)

    def close(self) -> None:
        """Recognise no more words; harmless when it was done before, from any thread."""
        if self._transcripts is not None:
            self._transcripts.close()

    def _recognize(
        self, place: Place, utterance: Utterance, dialogue: _Dialogue, check: Check
    ) -> Recognized:
        check()
        words = self._transcripts.of(utterance) if self._transcripts else None
        perceived = None
        if self._perception is not None:
            perceived = self._perception.perceived(place.key, utterance, place.face)
        recognition = self._recognizer.recognize(
            utterance,
            tuple(dialogue.history),
            perceived,
            place.dialogue,
            lambda: utterance.text if words is None else _wait(words, check).text,
            check,
        )
        if words is None:
            return Recognized(utterance, recognition, dialogue.turns, {})
        heard = words.result()
        latency_ms = {"asr": heard.milliseconds}
        return Recognized(heard.of(utterance), recognition, dialogue.turns, latency_ms)

    def _said(self, utterance: Utterance) -> Utterance:
        """The utterance with its words; waits for them."""
        if self._transcripts is None:
            return utterance
        return self._transcripts.of(utterance).result().of(utterance)

    def _remember(
        self, dialogue: _Dialogue, utterance: Utterance, recognized: Recognized | None
    ) -> None:
        said = self._said(utterance) if recognized is None else recognized.utterance
        inputs = None if recognized is None else recognized.recognition.inputs
        dialogue.turns += 1
        dialogue.history.append(Turn(said.participant, said.text, inputs))

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


def _wait(words: Future[Transcript], check: Check) -> Transcript:
    """Wait for the words of an utterance as long as they are wanted."""
    while not wait([words], POLL_SECONDS).done:
        check()
    if words.cancelled():
        raise NotWanted
    return words.result()


def _same(tried: Recognized, utterance: Utterance, turns: int) -> bool:
    """Whether what was tried is this utterance, and nobody has spoken since."""
    before, stretch = (
        (one.id, one.participant, one.start, one.end) for one in (tried.utterance, utterance)
    )
    return before == stretch and tried.turn == turns
