"""Speech probabilities in, utterance boundaries out. Sans-I/O.

The rules, in the order in which a window of sound meets them:

* A window at or above `enter_probability` opens an utterance; from then on a window at or
  above `leave_probability` counts as speech (hysteresis).
* The utterance begins `pre_roll_seconds` earlier, but never inside the one before it.
* `hangover_seconds` without speech end it, `post_roll_seconds` after its last speech.
* With less than `min_speech_seconds` of speech it is a blip (a click, a cough). A blip waits
  `merge_seconds` for more speech and becomes part of what follows, or else is let go and
  counted. With `keep_short` one that may be a word is given as a short utterance instead.
* An utterance that would pass `max_seconds` is cut before the quietest window of its last
  `cut_search_seconds`; the next one continues on the very next sample. Where nearly nothing
  follows, what is left over is no word but the end of one: it is a blip that is let go.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from stream.vad import WINDOW_SECONDS

_EPSILON = 1e-6  # seconds; far below a sample, far above float rounding


@dataclass(frozen=True)
class SegmenterConfig:
    """When an utterance begins and ends."""

    enter_probability: float = 0.5
    """Speech begins at this probability."""
    leave_probability: float = 0.35
    """Speech goes on down to this probability."""
    hangover_seconds: float = 0.5
    """Silence that ends an utterance."""
    min_speech_seconds: float = 0.25
    """Less speech than this is a blip."""
    merge_seconds: float = 1.0
    """How long a blip waits for more speech."""
    max_seconds: float = 15.0
    """Longest utterance."""
    cut_search_seconds: float = 2.0
    """Where to look for the quietest moment when an utterance is too long."""
    pre_roll_seconds: float = 0.2
    """Sound taken along from before the first speech."""
    post_roll_seconds: float = 0.03
    """Sound taken along from after the last speech."""
    keep_short: bool = False
    """Whether a blip that may be a word is given, for a recogniser of words to judge."""
    shortest_word_seconds: float = 0.06
    """Less speech than this is no word: "no" has twice as much, a click about half of it."""

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if not 0 < self.leave_probability <= self.enter_probability <= 1:
            raise ValueError("need 0 < leave_probability <= enter_probability <= 1")
        if not 0 <= self.post_roll_seconds <= self.hangover_seconds <= self.merge_seconds:
            raise ValueError("need 0 <= post_roll_seconds <= hangover_seconds <= merge_seconds")
        if self.pre_roll_seconds < 0 or self.min_speech_seconds < 0:
            raise ValueError("pre_roll_seconds and min_speech_seconds must not be negative")
        if not 0.1 <= self.cut_search_seconds <= self.max_seconds - self.pre_roll_seconds - 0.1:
            raise ValueError("cut_search_seconds must lie well between 0 and max_seconds")


@dataclass(frozen=True)
class Boundary:
    """Where an utterance begins and ends."""

    start: float
    """Media seconds."""
    end: float
    """Media seconds."""
    short: bool = False
    """Whether it is a blip that may be a word."""


class Segmenter:
    """Decides which windows of sound make an utterance.

    Args:
        config: When an utterance begins and ends.
        window_seconds: Length of the sound behind one probability.
    """

    def __init__(
        self, config: SegmenterConfig | None = None, *, window_seconds: float = WINDOW_SECONDS
    ) -> None:
        self.config = config or SegmenterConfig()
        self.blips = 0
        """Sounds let go so far because they were too short to be an utterance."""
        self._window = window_seconds
        self._floor: float | None = None  # no boundary may start earlier
        self._now = 0.0  # end of the newest window
        self._start: float | None = None  # of the open utterance
        self._speech_end = 0.0  # end of its last speech window
        self._speech_seconds = 0.0
        self._continued = False  # it goes on where a cut left off
        self._recent: deque[tuple[float, float]] = deque()  # (time, probability) to cut at

    @property
    def earliest(self) -> float:
        """No boundary still to come starts before this."""
        if self._start is not None:
            return self._start
        return max(self._floor or 0.0, self._now - self.config.pre_roll_seconds)

    @property
    def open_since(self) -> float | None:
        """Where the open utterance begins; None where none is open."""
        return self._start

    @property
    def silence(self) -> float:
        """Seconds since the last speech of the open utterance; 0 where none is open."""
        return 0.0 if self._start is None else self._now - self._speech_end

    @property
    def ends_in(self) -> float:
        """Seconds without speech that still end the open utterance; infinite where none is open."""
        return math.inf if self._start is None else self._patience - self.silence

    @property
    def tentative(self) -> Boundary | None:
        """The open utterance as it ends if no more speech comes; None where that is a blip."""
        if self._start is None or self._is_blip:
            return None
        end = self._speech_end + self.config.post_roll_seconds
        return Boundary(self._start, min(end, self._now))

    def push(self, time: float, probability: float) -> list[Boundary]:
        """Take the probability of the window that starts at `time`.

        Windows come in order. Where some are left out, the utterance before the hole ends.

        Returns:
            The utterances that are now complete, in order.
        """
        ended: list[Boundary] = []
        if self._floor is None:
            self._floor = time
        elif time > self._now + self._window / 2:
            ended = self.flush()
            self._floor = time
        self._now = time + self._window
        if self._start is None:
            if probability < self.config.enter_probability:
                return ended
            self._open(time)
        self._take(time, probability)
        return ended + self._close_if_due()

    def flush(self) -> list[Boundary]:
        """End the open utterance: no more sound comes."""
        return self._close() if self._start is not None else []

    @property
    def _is_blip(self) -> bool:
        enough = self._speech_seconds > self.config.min_speech_seconds - _EPSILON
        return not enough

    @property
    def _patience(self) -> float:
        return self.config.merge_seconds if self._is_blip else self.config.hangover_seconds

    def _open(self, time: float) -> None:
        self._start = max(time - self.config.pre_roll_seconds, self._floor or 0.0)
        self._speech_seconds = 0.0
        self._continued = False
        self._recent.clear()

    def _take(self, time: float, probability: float) -> None:
        if probability >= self.config.leave_probability:
            self._speech_end = self._now
            self._speech_seconds += self._window
        self._recent.append((time, probability))
        while self._recent[0][0] < self._now - self.config.cut_search_seconds - _EPSILON:
            self._recent.popleft()

    def _close_if_due(self) -> list[Boundary]:
        assert self._start is not None
        if self._now - self._speech_end > self._patience - _EPSILON:
            return self._close()
        if self._now + self._window - self._start > self.config.max_seconds + _EPSILON:
            return self._split()
        return []

    def _close(self) -> list[Boundary]:
        assert self._start is not None
        ended = self.tentative or self._short_word
        self._start = None
        if ended is None:
            self.blips += 1
            return []
        self._floor = ended.end
        return [ended]

    @property
    def _short_word(self) -> Boundary | None:
        """The open blip, if it may be a word."""
        assert self._start is not None
        enough = self._speech_seconds > self.config.shortest_word_seconds - _EPSILON
        if not self.config.keep_short or self._continued or not enough:
            return None
        end = min(self._speech_end + self.config.post_roll_seconds, self._now)
        return Boundary(self._start, end, short=True)

    def _split(self) -> list[Boundary]:
        """Cut before the quietest recent window; what follows stays open."""
        assert self._start is not None
        # The window that opened the utterance is no place to cut: nothing would come before.
        places = [place for place in self._recent if place[0] > self._start + _EPSILON]
        cut = min(reversed(places), key=lambda place: place[1])[0]
        if self._speech_end <= cut + _EPSILON:
            return self._close()
        boundary = Boundary(self._start, cut)
        self._start = self._floor = cut
        self._continued = True
        while self._recent[0][0] < cut - _EPSILON:
            self._recent.popleft()
        heard = [probability >= self.config.leave_probability for _, probability in self._recent]
        self._speech_seconds = self._window * sum(heard)
        return [boundary]
