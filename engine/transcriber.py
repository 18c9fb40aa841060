"""Speech to text with Whisper (arXiv 2212.04356) on CTranslate2.

Whisper reads windows of 30 s, and its time goes with their length. An utterance is read in a
window that is a few seconds longer than itself, which takes a quarter of the time and costs
no words: `python -m benchmarks.transcription`. With too little silence after the words it says
them again and again; where that happens, the utterance is read in a whole window.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens
from numpy.typing import NDArray

from engine.giving_up import Check, go_on
from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples

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
        """The words spoken, or an empty string where none were.

        Args:
            samples: Shape (N,), 16 kHz mono in [-1, 1]; values out of range are clipped.
            check: Called between the steps; what it raises ends it.
        """
        if not len(samples):
            return ""
        clean = np.clip(np.nan_to_num(samples), -1, 1).astype(np.float32)
        if not clean.any():
            return ""
        features = self._model.feature_extractor(clean)
        seconds = len(clean) / SAMPLE_RATE
        window = min(WINDOW_SECONDS, max(LEAST_SECONDS, seconds + SILENCE_SECONDS))
        heard = self._read(features, window, seconds, check)
        if heard.repeats and window < WINDOW_SECONDS:
            heard = self._read(features, WINDOW_SECONDS, seconds, check)
        return heard.text if heard.was_said else ""

    def _read(
        self,
        features: NDArray[np.float32],
        window: float,
        seconds: float,
        check: Check,
    ) -> _Heard:
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
        return _Heard(text, found.no_speech_prob, probability, endless=len(ids) >= limit)


@dataclass(frozen=True)
class _Heard:
    text: str
    no_speech: float
    log_probability: float
    """Mean of a token."""
    endless: bool
    """Whether it had to be cut off."""

    @property
    def repeats(self) -> bool:
        """Whether the decoder was caught in a loop."""
        encoded = self.text.encode()
        compression = len(encoded) / len(zlib.compress(encoded)) if encoded else 0.0
        return self.endless or compression > MAX_COMPRESSION

    @property
    def was_said(self) -> bool:
        """False for what Whisper makes up from noise and silence."""
        if self.no_speech > MAX_NO_SPEECH and self.log_probability < SURE_LOG_PROBABILITY:
            return False
        return self.log_probability >= MIN_LOG_PROBABILITY and not self.repeats
