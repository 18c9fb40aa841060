"""Speech to text with Whisper (arXiv 2212.04356) on CTranslate2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel

from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples

MIN_SAMPLES = SAMPLE_RATE
"""Shorter speech is padded with silence: Whisper makes words up from fragments."""
MAX_NEW_TOKENS = 128
"""Far more than anybody says in one utterance; ends a decoder caught in a loop."""

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
        self._language = language

    def __call__(self, samples: Samples) -> str:
        """The words spoken, or an empty string where none were.

        Args:
            samples: Shape (N,), 16 kHz mono in [-1, 1]; values out of range are clipped.
        """
        if not len(samples):
            return ""
        clean = np.clip(np.nan_to_num(samples), -1, 1).astype(np.float32)
        if not clean.any():
            return ""
        padded = np.pad(clean, (0, max(0, MIN_SAMPLES - len(clean))))
        segments, _ = self._model.transcribe(
            padded,
            language=self._language,
            beam_size=1,
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
            max_new_tokens=MAX_NEW_TOKENS,
        )
        words = [
            segment.text.strip()
            for segment in segments
            if _was_said(segment.no_speech_prob, segment.avg_logprob, segment.compression_ratio)
        ]
        return " ".join(word for word in words if word)


def _was_said(no_speech: float, log_probability: float, compression: float) -> bool:
    """False for what Whisper makes up from noise and silence."""
    if no_speech > MAX_NO_SPEECH and log_probability < SURE_LOG_PROBABILITY:
        return False
    return log_probability >= MIN_LOG_PROBABILITY and compression <= MAX_COMPRESSION
