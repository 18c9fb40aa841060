"""The words of utterances, recognised on a thread of their own, each stretch of speech once."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from engine.giving_up import Check, NotWanted
from stream.media import Utterance

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Words:
    """What a recogniser made of an utterance."""

    text: str | None
    """None or "" where there are no words."""
    reasons: tuple[str, ...] = ()
    """Why they are worse than they could be."""


Transcribe = Callable[[Utterance, Check], Words | str | None]
"""Gives the words of an utterance, None or "" where there are none. The function that it is given
is to be called now and then: it raises what ends it where nobody wants the words any more."""

Stretch = tuple[str, float, float]
"""Id, start and end of an utterance."""

KEPT = 32
"""Transcripts, so that a stretch that is recognised again needs no second one."""
FAILED = "transcription failed"
"""Why an utterance without words is worse than it could be."""


@dataclass(frozen=True)
class Transcript:
    """What was said in a stretch of speech."""

    text: str | None
    """None where there are no words."""
    milliseconds: float
    """How long it took."""
    failed: bool = False
    """Whether the words are missing because of an error."""
    reasons: tuple[str, ...] = ()
    """Why the words are worse than they could be."""

    def of(self, utterance: Utterance) -> Utterance:
        """The utterance with its words; without them it still has a voice and a face."""
        if self.failed:
            return replace(utterance, degraded=(*utterance.degraded, FAILED))
        said = utterance.with_text(self.text)
        if not self.reasons:
            return said
        return replace(said, degraded=(*said.degraded, *self.reasons))


@dataclass(frozen=True)
class _Known:
    words: Future[Transcript]
    given_up: threading.Event


class Transcripts:
    """Thread-safe.

    Args:
        transcribe: Called on one thread alone.
        clock: Seconds.
    """

    def __init__(
        self, transcribe: Transcribe, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._transcribe, self._clock = transcribe, clock
        self._thread = ThreadPoolExecutor(1, "words")
        self._lock = threading.Lock()
        self._known: OrderedDict[Stretch, _Known] = OrderedDict()

    def begin(self, utterance: Utterance) -> None:
        """Recognise words that will be asked for, unless others wait.

        What nobody asks for after all costs its time, so no queue of it must grow.
        """
        with self._lock:
            if not any(_waits(known.words) for known in self._known.values()):
                self._begin(utterance)

    def of(self, utterance: Utterance) -> Future[Transcript]:
        """The words of an utterance, begun now if they were not.

        With another end it is another stretch of speech; the one before is given up.
        """
        with self._lock:
            for stretch in list(self._known):
                if stretch[0] == utterance.id and stretch != _stretch(utterance):
                    self._give_up(stretch)
            return self._begin(utterance)

    def give_up(self, utterance: Utterance) -> None:
        """Nobody wants the words of an utterance with this end any more."""
        with self._lock:
            self._give_up(_stretch(utterance))

    def close(self) -> None:
        """Recognise no more words, and let the thread end; what waits is cancelled."""
        with self._lock:
            for stretch in list(self._known):
                self._give_up(stretch)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _begin(self, utterance: Utterance) -> Future[Transcript]:
        stretch = _stretch(utterance)
        if stretch not in self._known:
            given_up = threading.Event()
            words = self._thread.submit(self._hear, utterance, given_up)
            self._known[stretch] = _Known(words, given_up)
        self._known.move_to_end(stretch)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return self._known[stretch].words

    def _give_up(self, stretch: Stretch) -> None:
        known = self._known.pop(stretch, None)
        if known is not None:
            known.given_up.set()
            known.words.cancel()

    def _hear(self, utterance: Utterance, given_up: threading.Event) -> Transcript:
        def check() -> None:
            if given_up.is_set():
                raise NotWanted

        began = self._clock()
        words, failed = Words(None), False
        try:
            found = self._transcribe(utterance, check)
            words = found if isinstance(found, Words) else Words(found)
        except NotWanted:
            logger.debug("utterance at %.1f s goes on", utterance.start)
        except (Exception, SystemExit) as error:  # no library may end the program from here
            reason = str(error) or repr(error)
            logger.warning("utterance at %.1f s has no transcript: %s", utterance.start, reason)
            failed = True
        milliseconds = 1000 * (self._clock() - began)
        return Transcript(words.text or None, milliseconds, failed, words.reasons)


def _stretch(utterance: Utterance) -> Stretch:
    return utterance.id, utterance.start, utterance.end


def _waits(future: Future[Transcript]) -> bool:
    return not (future.running() or future.done())
