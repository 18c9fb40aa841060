"""What the worker thread does with an utterance: its words, its emotion, its behaviour.

One thread calls this for all utterances in order, so the history needs no lock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from engine.dialogue import Turn
from engine.model.outputs import Recognition
from stream.media import Utterance, VideoFrame

if TYPE_CHECKING:
    from engine.behaviour import Behaviour
    from engine.faces import Box

logger = logging.getLogger(__name__)

HISTORY_TURNS = 256
"""More turns than any context window of the models here holds."""

Transcribe = Callable[[Utterance], str | None]


class Observer(Protocol):
    """The part of `engine.behaviour.Observer` that is needed; it keeps what is usual for whom."""

    def __call__(
        self,
        participant: str,
        frames: Sequence[VideoFrame],
        boxes: Sequence[Box | None] | None = None,
    ) -> Behaviour:
        """The behaviour that an utterance of a participant shows."""
        ...


class Recognizer(Protocol):
    """The part of `engine.model.recognizer.Recognizer` that is needed live."""

    def recognize(self, utterance: Utterance, history: Sequence[Turn]) -> Recognition:
        """The emotion expressed in `utterance`, after the turns of `history`."""
        ...


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


class Worker:
    """The dialogue so far, and the models that read it.

    Args:
        recognizer: Names the emotion.
        transcribe: Gives the words of an utterance, None or "" where there are none; without
            it the text of the utterance is left as it is.
        observe: Describes the behaviour; without it there is none in the event.
        clock: Seconds, for latencies.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        transcribe: Transcribe | None = None,
        *,
        observe: Observer | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._recognizer = recognizer
        self._transcribe = transcribe
        self._observe = observe
        self._clock = clock
        self._history: list[Turn] = []
        self._turns = 0

    def __call__(self, utterance: Utterance) -> Recognized:
        """Transcribe, recognise and observe; the utterance joins the history even if that fails."""
        latency_ms: dict[str, float] = {}
        if self._transcribe is not None:
            began = self._clock()
            utterance = self._with_words(utterance, self._transcribe)
            latency_ms["asr"] = 1000 * (self._clock() - began)
        turn = self._turns
        inputs = None
        try:
            recognition = self._recognizer.recognize(utterance, tuple(self._history))
            inputs = recognition.inputs
        finally:
            self._remember(Turn(utterance.participant, utterance.text, inputs))
        if self._observe is not None and utterance.frames:
            began = self._clock()
            utterance, recognition = _with_behaviour(utterance, recognition, self._observe)
            latency_ms["behaviour"] = 1000 * (self._clock() - began)
        return Recognized(utterance, recognition, turn, latency_ms)

    def _with_words(self, utterance: Utterance, transcribe: Transcribe) -> Utterance:
        """Without its words an utterance still has a voice and a face."""
        try:
            return utterance.with_text(transcribe(utterance) or None)
        except Exception as error:
            logger.warning("utterance at %.1f s has no transcript: %s", utterance.start, error)
            return replace(utterance, degraded=(*utterance.degraded, "transcription failed"))

    def _remember(self, turn: Turn) -> None:
        self._turns += 1
        self._history.append(turn)
        if len(self._history) > HISTORY_TURNS:
            # Half at once, not one by one: what stays is read from the model's cache.
            del self._history[: HISTORY_TURNS // 2]


def _with_behaviour(
    utterance: Utterance, recognition: Recognition, observe: Observer
) -> tuple[Utterance, Recognition]:
    """Without its behaviour an utterance still has an emotion."""
    try:
        seen = observe(utterance.participant, utterance.frames, recognition.faces)
        return utterance, replace(recognition, behaviour=seen)
    except Exception as error:
        logger.warning("utterance at %.1f s has no behaviour: %s", utterance.start, error)
        degraded = (*utterance.degraded, "behaviour not described")
        return replace(utterance, degraded=degraded), recognition
