"""Whether a recogniser of English words hears English. Sans-I/O.

Whisper tiny.en has no notion of other languages: it writes English words for them, but is far less
sure of these than of words that were spoken in English. One utterance says little, since laughter
and noise make it unsure, too; the middle one of several utterances tells. The figures are measured
with `python -m benchmarks.languages`.
"""

from __future__ import annotations

from collections import OrderedDict
from statistics import median

LEAST_LOG_PROBABILITY = -0.8
"""The middle utterance of those heard lately is less sure than this in other languages."""
BELIEVED_LOG_PROBABILITY = -0.4
"""Words surer than this are believed even where the others are not English."""
LEAST_UTTERANCES = 5
"""Fewer say nothing."""
KEPT_UTTERANCES = 8
"""Utterances heard lately: who changes to English is understood again soon."""
LEAST_WORDS = 3
"""Fewer words in an utterance say nothing."""
NOT_ENGLISH = "words may not be English"
"""Why an utterance has no words."""


class LanguageCheck:
    """Judges the words of one run, utterance by utterance."""

    def __init__(self) -> None:
        self._lately: OrderedDict[str, float] = OrderedDict()

    @property
    def is_doubtful(self) -> bool:
        """Whether what was heard lately is probably not English."""
        known = self._lately.values()
        return len(known) >= LEAST_UTTERANCES and median(known) < LEAST_LOG_PROBABILITY

    def believes(self, utterance: str, words: int, log_probability: float) -> bool:
        """Take an utterance into account, and say whether its words are to be believed.

        Args:
            utterance: Its id; who is heard again while they go on speaking counts once.
            words: How many there are.
            log_probability: Mean of a token.
        """
        if words >= LEAST_WORDS:
            self._lately[utterance] = log_probability
            self._lately.move_to_end(utterance)
            if len(self._lately) > KEPT_UTTERANCES:
                self._lately.popitem(last=False)
        return log_probability >= BELIEVED_LOG_PROBABILITY or not self.is_doubtful
