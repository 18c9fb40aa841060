"""From real sound to events: which stretches of speech become utterances, and with which words.

The voice detector, the cutter and Whisper are the real ones; the recogniser of emotions is a rule.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import soundfile
from around_engine import Memory, build

from engine import live
from engine.dialogue import Turn
from engine.giving_up import Check
from engine.language_check import LEAST_UTTERANCES, NOT_ENGLISH
from engine.model.outputs import Recognition
from engine.transcriber import Heard, Transcriber, WordsOfSpeech
from engine.transcripts import Transcribe, Words
from engine.worker import Worker
from export.models import resolve
from stream.cutter import UtteranceCutter, WorkPlan
from stream.media import SAMPLE_RATE, AudioChunk, Samples, Utterance, VideoFrame
from stream.segmenter import SegmenterConfig
from stream.vad import SileroVad

SPEECH = Path(__file__).parents[1] / "assets" / "speech.wav"
STEP = SAMPLE_RATE // 10


class Neutral:
    """A recogniser to whom everything is neutral, and who notes which words it was given."""

    def __init__(self) -> None:
        self.words: list[str | None] = []

    def recognize(
        self,
        utterance: Utterance,
        history: Sequence[Turn],
        perceived: object = None,
        dialogue: str = "",
        words: object = None,
        check: object = None,
    ) -> Recognition:
        """Note the words."""
        assert callable(words)
        self.words.append(words())
        return Recognition({"neutral": 1.0})

    def settle(self, history: Sequence[Turn], dialogue: str = "") -> list[Turn]:
        """Keep all turns."""
        return list(history)

    def forget(self, dialogue: str) -> None:
        """There is nothing to forget."""


class Recording:
    """A source that gives some sound, a tenth of a second at a time."""

    name, participant = "recording", "p"
    has_audio, has_video, live = True, False, False
    skipped_packets = restarts = 0
    trouble = ()

    def __init__(self, sound: Samples) -> None:
        self._sound = sound

    async def __aenter__(self) -> Self:
        """There is nothing to open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to close."""

    def stop(self) -> None:
        """It ends by itself."""

    async def __aiter__(self) -> AsyncIterator[AudioChunk | VideoFrame]:
        """All of the sound."""
        for first in range(0, len(self._sound), STEP):
            yield AudioChunk(first / SAMPLE_RATE, self._sound[first : first + STEP])


async def hear(
    sound: Samples, transcribe: Transcribe, *, listen: bool = True
) -> tuple[Memory, list[str | None], live.RunSummary, UtteranceCutter]:
    """Run sound to its end."""
    memory, neutral = Memory(), Neutral()
    cutter = UtteranceCutter(
        SileroVad(resolve("silero-vad")),
        participant="p",
        config=SegmenterConfig(keep_short=listen),
        ahead=WorkPlan(0.5, 0.25),
    )
    summary = await live.run(
        Recording(sound),
        cutter,
        Worker(neutral, transcribe),
        [memory],
        build=build,
        stop=asyncio.Event(),
    )
    return memory, neutral.words, summary, cutter


def quiet(seconds: float) -> Samples:
    """A pause."""
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


@pytest.fixture(scope="module")
def speech() -> Samples:
    """Two sentences."""
    samples, _ = soundfile.read(SPEECH, dtype="float32")
    return np.asarray(samples, np.float32)


@pytest.fixture(scope="module")
def fragment(speech: Samples) -> Samples:
    """A word of a sixth of a second, between pauses."""
    word = speech[round(1.1 * SAMPLE_RATE) : round(1.35 * SAMPLE_RATE)]
    return np.concatenate([quiet(1.5), word * np.hanning(len(word)) ** 0.2, quiet(2)]).astype(
        np.float32
    )


@pytest.mark.parametrize("word", ["No.", None])
async def test_a_short_word_among_sentences(
    speech: Samples, fragment: Samples, word: str | None
) -> None:
    """With a word in it, it is an utterance in its place; else it is counted, and costs no turn."""
    sound = np.concatenate([fragment, speech[: 4 * SAMPLE_RATE], quiet(1)])

    def transcribe(utterance: Utterance, _: Check) -> Words:
        return Words(word if utterance.short else "a sentence")

    memory, words, summary, cutter = await hear(sound, transcribe)
    assert words == [*([word] if word else []), "a sentence"]
    assert [event.turn for event in memory.events] == list(range(len(words)))
    assert summary.utterances == len(words)
    assert summary.too_short == (not word)
    assert (summary.failed, summary.dropped, cutter.blips) == (0, 0, 0)


async def test_without_a_recogniser_of_words_a_short_sound_is_passed_over(
    fragment: Samples,
) -> None:
    """As nobody can tell it from a click."""
    memory, _, summary, cutter = await hear(fragment, lambda *_: None, listen=False)
    assert memory.events == []
    assert (summary.too_short, cutter.blips) == (0, 1)


async def test_whisper_hears_no_word_in_clicks(speech: Samples) -> None:
    """Hiss of a tenth of a second, time and again, then a sentence: one event."""
    hiss = np.random.default_rng(0).normal(0, 0.2, SAMPLE_RATE // 10).astype(np.float32)
    clicks = np.concatenate([*[hiss, quiet(1.5)] * 3, speech[: 5 * SAMPLE_RATE], quiet(1)])
    transcriber = Transcriber(resolve("whisper-tiny.en"))
    _, words, summary, _ = await hear(clicks, WordsOfSpeech(transcriber.hear))
    assert summary.utterances == len(words) == 1
    assert "best of times" in str(words[0])


async def test_words_in_another_language_do_not_reach_the_language_model(
    speech: Samples, caplog: pytest.LogCaptureFixture
) -> None:
    """After a few utterances their words are absent with a reason, and one line says so."""
    count = LEAST_UTTERANCES + 2
    sound = np.concatenate([*[speech[: 2 * SAMPLE_RATE], quiet(1)] * count])
    nonsense = Heard("this will be a metal hub game", 0.1, -0.95, endless=False)
    memory, words, summary, _ = await hear(sound, WordsOfSpeech(lambda *_: nonsense))
    unknown = LEAST_UTTERANCES - 1
    assert words == [nonsense.text] * unknown + [None] * (summary.utterances - unknown)
    assert [NOT_ENGLISH in event.degraded for event in memory.events] == [
        text is None for text in words
    ]
    assert sum("--no-text" in record.message for record in caplog.records) == 1
