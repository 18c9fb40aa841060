"""Speech to text with Whisper (arXiv 2212.04356) on CTranslate2.

Whisper reads windows of 30 s, and its time goes with their length. An utterance is read in a
window that is a few seconds longer than itself, which takes a quarter of the time and costs
no words: `python -m benchmarks.transcription`. With too little silence after the words it says
them again and again; where that happens, the utterance is read in a whole window. What is still
said again and again then is written a few times only.
"""

from __future__ import annotations

import logging
import string
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens
from numpy.typing import NDArray

from engine.giving_up import Check, go_on
from engine.language_check import NOT_ENGLISH, LanguageCheck
from engine.transcripts import Words
from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples, Utterance

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 30.0
"""Longest window, and most that is read of an utterance."""
SILENCE_SECONDS = 8.0
"""Empty window after an utterance."""
LEAST_SECONDS = 10.0
"""Shortest window."""
FRAMES_PER_SECOND = 100
TOKENS_PER_SECOND = 12
"""Far more than anybody says; ends a decoder caught in a loop."""

MAX_NO_SPEECH = 0.6
"""Above this, Whisper itself thinks that nothing was said ..."""
SURE_LOG_PROBABILITY = -0.5
"""... unless its words are more likely than this, the mean log-probability of a token."""
MIN_LOG_PROBABILITY = -1.0
"""Words less likely than this are guesses."""
MAX_COMPRESSION = 2.4
"""Text that zip shrinks more than this repeats itself."""
KEPT_REPEATS = 3
"""How often words in a row are kept where the text repeats itself."""
REPETITION = "repeated words left out"
"""Why the words of an utterance are fewer than were recognised."""
LONGEST_REPEAT = 40
"""Words of a phrase that is looked for again."""
SURE_SHORT_LOG_PROBABILITY = -0.9
"""Less likely words of a sound that is too short to be an utterance by itself are none. Of 125
short sounds without words (EmoGator) ten have some by this, most of them "Yeah" or "Oh"."""


_PUNCTUATION = string.punctuation + "\u2019\u2026\u201c\u201d"


class Transcriber:
    """Turns the sound of one utterance into words; owned by one thread at a time."""

    def __init__(self, model: Path, threads: int = 1, language: str = "en") -> None:
        """Load the weights.

        Args:
            model: Folder with a Whisper model in CTranslate2's format; no network is used.
            threads: CPU threads.
            language: Code of the language spoken.

        Raises:
            UserError: If the folder holds no such model.
        """
        if not (model / "model.bin").is_file():
            raise UserError(f"{model} holds no Whisper model in CTranslate2's format")
        self._model = WhisperModel(
            str(model),
            device="cpu",
            compute_type="int8",
            cpu_threads=threads,
            local_files_only=True,
        )
        self._tokenizer = Tokenizer(
            self._model.hf_tokenizer,
            self._model.model.is_multilingual,
            task="transcribe",
            language=language,
        )
        self._prompt = [*self._tokenizer.sot_sequence, self._tokenizer.no_timestamps]
        self._suppressed = get_suppressed_tokens(self._tokenizer, (-1,))

    def __call__(self, samples: Samples, check: Check = go_on) -> str:
        """The words spoken, or an empty string where none were; see `hear`."""
        return self.hear(samples, check).words

    def hear(self, samples: Samples, check: Check = go_on) -> Heard:
        """The words spoken, and how sure they are.

        Args:
            samples: Shape (N,), 16 kHz mono in [-1, 1]; values out of range are clipped.
            check: Called between the steps; what it raises ends it.
        """
        clean = np.clip(np.nan_to_num(samples), -1, 1).astype(np.float32)
        if not clean.any():
            return Heard("", no_speech=1.0, log_probability=0.0, endless=False)
        features = self._model.feature_extractor(clean)
        seconds = len(clean) / SAMPLE_RATE
        window = min(WINDOW_SECONDS, max(LEAST_SECONDS, seconds + SILENCE_SECONDS))
        heard = self._read(features, window, seconds, check)
        if heard.repeats and window < WINDOW_SECONDS:
            heard = self._read(features, WINDOW_SECONDS, seconds, check)
        return heard

    def _read(
        self,
        features: NDArray[np.float32],
        window: float,
        seconds: float,
        check: Check,
    ) -> Heard:
        """Decode mel features (80, T) of `seconds` of sound in a window of so many seconds."""
        frames = 2 * round(window * FRAMES_PER_SECOND / 2)
        padded = np.zeros((1, len(features), frames), np.float32)
        padded[0, :, : features.shape[1]] = features[:, :frames]
        limit = 16 + round(TOKENS_PER_SECOND * min(seconds, window))
        encoded = self._model.encode(padded)
        check()
        (found,) = self._model.model.generate(
            encoded,
            [self._prompt],
            beam_size=1,
            max_length=len(self._prompt) + limit,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=self._suppressed,
        )
        ids = found.sequences_ids[0]
        text = " ".join(self._tokenizer.decode(ids).split())
        # The end is a token, too.
        probability = found.scores[0] * len(ids) / (len(ids) + 1)
        return Heard(text, found.no_speech_prob, probability, endless=len(ids) >= limit)


@dataclass(frozen=True)
class Heard:
    """What the decoder wrote, and what it thinks of that."""

    text: str
    """All of it, on one line."""
    no_speech: float
    """Probability that nothing was said."""
    log_probability: float
    """Mean of a token."""
    endless: bool
    """Whether it had to be cut off."""

    @property
    def repeats(self) -> bool:
        """Whether the decoder was caught in a loop, or somebody says the same time and again."""
        encoded = self.text.encode()
        compression = len(encoded) / len(zlib.compress(encoded)) if encoded else 0.0
        return self.endless or compression > MAX_COMPRESSION

    @property
    def was_said(self) -> bool:
        """False for what Whisper makes up from noise and silence."""
        if self.no_speech > MAX_NO_SPEECH and self.log_probability < SURE_LOG_PROBABILITY:
            return False
        return self.log_probability >= MIN_LOG_PROBABILITY

    @property
    def is_sure_word(self) -> bool:
        """Whether a short sound is a word."""
        sure = self.log_probability >= SURE_SHORT_LOG_PROBABILITY
        spelt = any(letter.isalnum() for letter in self.text)
        return sure and spelt and self.no_speech <= MAX_NO_SPEECH

    @property
    def words(self) -> str:
        """What was said, repetitions a few times only; empty where nothing was said."""
        if not self.was_said:
            return ""
        if not self.repeats:
            return self.text
        words, places = without_repetitions(self.text.split())
        # Nobody says so much: it is noise, but where a loop begins after other words.
        return "" if self.endless and not any(places) else " ".join(words)

    @property
    def shortened(self) -> bool:
        """Whether `words` leaves out repetitions."""
        return self.was_said and self.repeats and self.words != self.text


class WordsOfSpeech:
    """The words of utterances by their sound, where they can be believed; see `Transcribe`.

    Args:
        hear: Gives what is heard in sound: `Transcriber.hear`.
        english: Whether it knows nothing but English.
    """

    def __init__(self, hear: Callable[[Samples, Check], Heard], *, english: bool = True) -> None:
        self._hear = hear
        self._language = LanguageCheck() if english else None
        self._hinted = False

    def __call__(self, utterance: Utterance, check: Check = go_on) -> Words:
        """The words of an utterance, and why there are fewer than were heard."""
        heard = self._hear(utterance.audio, check)
        if utterance.short:
            return Words(heard.words if heard.is_sure_word else None)
        reasons = (REPETITION,) if heard.shortened else ()
        if self._is_foreign(utterance, heard):
            return Words(None, (*reasons, NOT_ENGLISH))
        return Words(heard.words or None, reasons)

    def _is_foreign(self, utterance: Utterance, heard: Heard) -> bool:
        if self._language is None or heard.no_speech > MAX_NO_SPEECH or heard.repeats:
            return False
        count = len(heard.text.split())
        if self._language.believes(utterance.id, count, heard.log_probability):
            return False
        if not self._hinted:
            logger.warning(
                "the words may not be English, which is all that is understood: "
                "use --no-text, or --transcript FILE with English captions"
            )
            self._hinted = True
        return True


def without_repetitions(words: Sequence[str]) -> tuple[list[str], list[int]]:
    """Leave `KEPT_REPEATS` of each phrase that is said more often in a row.

    Returns:
        The words left, and where in them the shortened phrases begin.
    """
    plain = [word.strip(_PUNCTUATION).lower() for word in words]
    left: list[str] = []
    places: list[int] = []
    at = 0
    while at < len(words):
        length, times = _repetition(plain, at)
        if times > KEPT_REPEATS:
            places.append(len(left))
            left += words[at : at + KEPT_REPEATS * length]
            at += times * length
            if words[at:] and plain[at:] == plain[at - length : at - length + len(plain[at:])]:
                break  # the loop was cut off in the middle of the phrase
        else:
            left.append(words[at])
            at += 1
    return left, places


def _repetition(words: Sequence[str], at: int) -> tuple[int, int]:
    """Length of the phrase at a place that takes most words in a row, and how often it is there."""
    best = 1, 1
    for length in range(1, min(LONGEST_REPEAT, (len(words) - at) // 2) + 1):
        phrase, times = words[at : at + length], 1
        while words[at + times * length : at + (times + 1) * length] == phrase:
            times += 1
        if times > KEPT_REPEATS and times * length > best[0] * best[1]:
            best = length, times
    return best
