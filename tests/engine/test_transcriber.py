"""Speech to text, with the real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.language_check import LEAST_UTTERANCES, NOT_ENGLISH
from engine.transcriber import (
    REPETITION,
    Heard,
    Transcriber,
    WordsOfSpeech,
    without_repetitions,
)
from export.models import resolve
from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples, Utterance

ASSETS = Path(__file__).parents[1] / "assets"


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    """Whisper tiny.en."""
    return Transcriber(resolve("whisper-tiny.en"))


@pytest.fixture(scope="module")
def speech() -> Samples:
    """Two sentences with a pause."""
    samples, rate = soundfile.read(ASSETS / "speech.wav", dtype="float32")
    assert rate == SAMPLE_RATE
    return np.asarray(samples, np.float32)


def silence() -> Samples:
    """Two seconds without a signal."""
    return np.zeros(2 * SAMPLE_RATE, np.float32)


def noise() -> Samples:
    """Three seconds of hiss."""
    return np.random.default_rng(0).normal(0, 0.05, 3 * SAMPLE_RATE).astype(np.float32)


def tone() -> Samples:
    """Three seconds of a flute that does not speak."""
    seconds = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * 220 * seconds)).astype(np.float32)


def test_speech_becomes_its_words(transcriber: Transcriber, speech: Samples) -> None:
    """Both sentences of the recording come out as they were read."""
    expected = (ASSETS / "speech.txt").read_text().splitlines()
    pause = 5 * SAMPLE_RATE
    assert [transcriber(speech[:pause]), transcriber(speech[pause:])] == expected


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0, np.float32), silence(), noise(), tone(), np.full(8000, np.nan, np.float32)],
    ids=["nothing", "silence", "noise", "tone", "nan"],
)
def test_no_words_are_made_up(transcriber: Transcriber, samples: Samples) -> None:
    """Where nobody speaks the text is empty."""
    assert transcriber(samples) == ""


def test_broken_sound_is_still_understood(transcriber: Transcriber, speech: Samples) -> None:
    """Clipping and single NaN samples do not cost the words."""
    broken = speech[: 5 * SAMPLE_RATE] * 50
    broken[::4000] = np.nan
    assert "best of times" in transcriber(broken)


def test_a_fragment_is_transcribed(transcriber: Transcriber, speech: Samples) -> None:
    """0.2 seconds of speech give a text of a word at most."""
    fragment = speech[int(0.6 * SAMPLE_RATE) : int(0.8 * SAMPLE_RATE)]
    assert len(transcriber(fragment).split()) <= 1


def test_what_nobody_wants_is_not_decoded(transcriber: Transcriber, speech: Samples) -> None:
    """Between two steps it ends by what the check raises."""

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        transcriber(speech[: 2 * SAMPLE_RATE], stop)


def test_wrong_folder(tmp_path: Path) -> None:
    """A folder without a model is the user's to put right."""
    with pytest.raises(UserError, match="holds no Whisper model"):
        Transcriber(tmp_path)


def heard(text: str, *, sure: float = -0.2, no_speech: float = 0.1, endless: bool = False) -> Heard:
    """What a decoder wrote."""
    return Heard(text, no_speech, sure, endless)


def said(id: str = "a", *, short: bool = False) -> Utterance:
    """An utterance whose sound is not looked at."""
    return Utterance(id, "p", 0.0, 1.0, short=short)


LOOP = "No, " * 40


@pytest.mark.parametrize(
    ("decoded", "words"),
    [
        (heard(f"I told you so. {LOOP}"), "I told you so. No, No, No,"),
        (heard(f"I told you so. {LOOP}", endless=True), "I told you so. No, No, No,"),
        (heard(f"{LOOP} leave me alone."), "No, No, No, leave me alone."),
        (heard("Well. " + "I do not know. " * 9 + "I do"), "Well. " + "I do not know. " * 3),
        (heard("No, no, no, no, I said no."), "No, no, no, no, I said no."),
        (heard(LOOP, endless=True), ""),
        (heard("made up all the way", endless=True), ""),
    ],
    ids=["end", "limit", "start", "phrase", "plausible", "noise", "no end"],
)
def test_a_repetition_does_not_cost_the_other_words(decoded: Heard, words: str) -> None:
    """What is said again and again is written a few times, and what is around it is kept."""
    assert decoded.words == words.strip()
    assert decoded.shortened == (words.strip() != decoded.text)


def test_a_repetition_that_was_left_out_is_said() -> None:
    """In the event, beside what is left of the words."""
    words = WordsOfSpeech(lambda *_: heard(f"I told you so. {LOOP}"))(said())
    assert (words.text, words.reasons) == ("I told you so. No, No, No,", (REPETITION,))


def test_no_and_no_again_in_real_sound_keeps_the_words(
    transcriber: Transcriber, speech: Samples
) -> None:
    """A sentence, then a fragment of it over and over, until 14 s are full."""
    fragment = speech[int(0.6 * SAMPLE_RATE) : int(1.1 * SAMPLE_RATE)]
    sound = np.concatenate([speech[: 4 * SAMPLE_RATE], *[fragment] * 20])
    assert "best of times" in transcriber(sound)


def test_without_repetitions_leaves_other_words_alone() -> None:
    """Three times is how people speak."""
    words = "no no no it was it was it was".split()
    assert without_repetitions(words) == (words, [])


@pytest.mark.parametrize(
    ("decoded", "text"),
    [
        (heard("No."), "No."),
        (heard("you", sure=-0.95), None),
        (heard("Thank you.", no_speech=0.8), None),
        (heard("..."), None),
        (heard(""), None),
    ],
)
def test_a_short_sound_has_words_only_if_they_are_sure(decoded: Heard, text: str | None) -> None:
    """What Whisper makes up for a click is no utterance."""
    assert (WordsOfSpeech(lambda *_: decoded)(said(short=True)).text or None) == text


def test_a_short_real_word_is_heard_and_a_click_is_not(
    transcriber: Transcriber, speech: Samples
) -> None:
    """Clicks and hiss of a fifth of a second have no words."""
    recognise = WordsOfSpeech(transcriber.hear)
    quiet = np.zeros(SAMPLE_RATE // 5, np.float32)
    for sound in (noise()[: SAMPLE_RATE // 5], tone()[: SAMPLE_RATE // 5], quiet):
        click = Utterance("a", "p", 0.0, 0.2, audio=sound, short=True)
        assert not recognise(click).text


def test_words_that_may_not_be_english_are_left_out_and_hinted_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After a few unsure utterances; a sure one is believed all the same, and English later on."""
    now = heard("this will be a metal hub game.", sure=-0.9)
    recognise = WordsOfSpeech(lambda *_: now)
    found = [recognise(said(str(number))) for number in range(LEAST_UTTERANCES + 2)]
    assert [words.text is None for words in found] == [False] * (LEAST_UTTERANCES - 1) + [True] * 3
    assert [words.reasons for words in found] == [()] * (LEAST_UTTERANCES - 1) + [
        (NOT_ENGLISH,)
    ] * 3
    assert [record.message.count("--no-text") for record in caplog.records] == [1]
    now = heard("Kids are talking by the door.")
    assert recognise(said("sure")).text == now.text
    for number in range(8):
        recognise(said(f"english {number}"))
    now = heard("hardly understood by the door", sure=-0.9)
    assert recognise(said("last")).text == now.text


def test_an_utterance_that_is_heard_time_and_again_counts_once() -> None:
    """One that goes on is recognised at each pause."""
    recognise = WordsOfSpeech(lambda *_: heard("not understood at all", sure=-0.9))
    assert [recognise(said("a")).text for _ in range(9)] == ["not understood at all"] * 9
