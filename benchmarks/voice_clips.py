"""Clips of emotional speech, heard as live: cut to the speech, with the vectors of the voice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.voices import WINDOW_SECONDS, VoiceEmbedding
from export.models import resolve
from stream.media import SAMPLE_RATE, Samples
from stream.segmenter import Segmenter
from stream.vad import WINDOW_SAMPLES, SileroVad
from training.datasets.speech import SpeechClip, load_audio

WINDOW = round(WINDOW_SECONDS * SAMPLE_RATE)
"""Samples of a window of the network."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Voice:
    """One clip, heard."""

    clip: SpeechClip
    sound: Samples
    """From the first speech to the last, all at one level."""
    vector: Floats
    """Of all of it."""
    window: Floats | None
    """Of the first 1.6 s; None where it is shorter."""

    @property
    def speaker(self) -> tuple[str, str]:
        """Corpus and speaker."""
        return self.clip.corpus, self.clip.speaker


def hear(clips: Iterable[SpeechClip], embed: VoiceEmbedding) -> list[Voice]:
    """The clips with speech, cut as live."""
    detector = SileroVad(resolve("silero-vad"))
    voices = []
    for clip in clips:
        sound = _speech(load_audio(clip.path), detector)
        vector = embed(sound)
        if vector is not None:
            window = embed(sound[:WINDOW]) if len(sound) >= WINDOW else None
            level = np.float32(0.05 / np.sqrt(np.mean(np.square(sound))))
            voices.append(Voice(clip, sound * level, vector, window))
    return voices


def _speech(sound: Samples, detector: SileroVad) -> Samples:
    detector.reset()
    segmenter = Segmenter()
    found = []
    for first in range(0, len(sound) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
        window = sound[first : first + WINDOW_SAMPLES]
        found += segmenter.push(first / SAMPLE_RATE, detector(window))
    found += segmenter.flush()
    if not found:
        return sound[:0]
    return sound[round(found[0].start * SAMPLE_RATE) : round(found[-1].end * SAMPLE_RATE)]


def by_speaker(voices: Iterable[Voice]) -> dict[tuple[str, str], list[Voice]]:
    """The voices by corpus and speaker."""
    grouped: defaultdict[tuple[str, str], list[Voice]] = defaultdict(list)
    for voice in voices:
        grouped[voice.speaker].append(voice)
    return dict(grouped)
