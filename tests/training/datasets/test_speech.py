"""The speech corpora by their file names, and their sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream.errors import UserError
from stream.media import SAMPLE_RATE
from training.datasets.speech import (
    DEV_SPEAKERS,
    TEST_SPEAKERS,
    SpeechClip,
    filter_speakers,
    find_speech,
    load_audio,
    parse_speakers,
    read_emodb,
    read_nemo,
    read_ravdess,
    recognise,
    speaker_split,
)

FILES = (
    "ravdess/Actor_17/03-01-05-01-02-01-17.wav",
    "ravdess/Actor_03/03-01-02-01-01-01-03.wav",
    "ravdess/Actor_22/03-01-08-02-01-02-22.wav",
    "emodb/wav/03a01Fa.wav",
    "emodb/wav/13b10Wc.wav",
    "emodb/wav/16a02Ea.wav",
    "nemo/samples/KS0_happiness_5.ogg",
    "nemo/samples/SM0_surprised_12.flac",
    "nemo/samples/TP0_anger_12.wav",
)
PASSED_OVER = (
    "ravdess/Actor_17/03-02-05-01-02-01-17.wav",  # song
    "ravdess/Actor_17/01-01-05-01-02-01-17.wav",  # full audio and video
    "ravdess/Actor_17/02-01-05-01-02-01-17.mp4",  # video only
    "emodb/wav/03a01La.wav",  # boredom
    "emodb/wav/03a01Xa.wav",  # no such emotion
    "nemo/samples/TP0_boredom_1.wav",  # no such emotion
    "nemo/data.tsv",
    "readme.wav",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A root with all three corpora and files that belong to none."""
    for name in (*FILES, *PASSED_OVER):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def clip(corpus: str, speaker: str) -> SpeechClip:
    """A clip of a speaker."""
    return SpeechClip(Path("x.wav"), corpus, speaker, "joy", None)


def test_all_corpora_below_one_root(folder: Path) -> None:
    """Every clip is found, and song, video, boredom and strangers are passed over."""
    found = find_speech(folder)
    assert {clip.path.relative_to(folder).as_posix() for clip in found} == set(FILES)
    assert Counter(clip.corpus for clip in found) == {"ravdess": 3, "emodb": 3, "nemo": 3}


@pytest.mark.parametrize(
    ("name", "corpus", "speaker", "emotion", "gender"),
    [
        ("03-01-02-01-01-01-03.wav", "ravdess", "3", "neutral", "male"),
        ("03-01-08-02-01-02-22.flac", "ravdess", "22", "surprise", "female"),
        ("03a01Fa.wav", "emodb", "03", "joy", "male"),
        ("16b10Tb.wav", "emodb", "16", "sadness", "female"),
        ("KS0_happiness_5.ogg", "nemo", "KS0", "joy", "male"),
        ("EB0_sadness_78.wav", "nemo", "EB0", "sadness", "female"),
        ("ZZ9_fear_1.wav", "nemo", "ZZ9", "fear", None),
    ],
)
def test_file_names(name: str, corpus: str, speaker: str, emotion: str, gender: str | None) -> None:
    """The name tells corpus, speaker, emotion and gender."""
    expected = SpeechClip(Path(name), corpus, speaker, emotion, gender)
    assert recognise(Path(name)) == expected


def test_one_corpus_at_a_time(folder: Path) -> None:
    """Each reader returns its corpus only."""
    assert {clip.corpus for clip in read_ravdess(folder)} == {"ravdess"}
    assert {clip.corpus for clip in read_emodb(folder)} == {"emodb"}
    assert {clip.corpus for clip in read_nemo(folder)} == {"nemo"}


def test_repeated_recordings(folder: Path) -> None:
    """Kaggle's archive of RAVDESS has everything twice; once is enough."""
    copy = folder / "audio_speech_actors_01-24" / FILES[0]
    copy.parent.mkdir(parents=True)
    copy.touch()
    assert len(read_ravdess(folder)) == 3


def test_a_folder_that_cannot_be_read(folder: Path, lock: Callable[[Path], None]) -> None:
    """Its recordings are not silently absent."""
    lock(folder / "emodb")
    with pytest.raises(UserError, match="emodb: Permission denied; check its permissions"):
        find_speech(folder)


def test_nothing_found(tmp_path: Path, folder: Path) -> None:
    """A folder that is absent, empty or of another corpus is told with the names expected."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="nowhere: no such folder"):
        find_speech(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"empty: no speech of a known corpus.*03a01Fa\.wav"):
        find_speech(tmp_path / "empty")
    with pytest.raises(UserError, match="emodb: no nemo below it; expected files like"):
        read_nemo(folder / "emodb")


@pytest.mark.parametrize(
    ("text", "speakers"),
    [
        ("17-20", {"17", "18", "19", "20"}),
        ("17-18,TP0, 03", {"17", "18", "TP0", "03"}),
        ("5-5", {"5"}),
        ("Actor_17", {"Actor_17"}),
    ],
)
def test_speaker_lists(text: str, speakers: set[str]) -> None:
    """Ids and ranges, separated by commas."""
    assert parse_speakers(text) == speakers


@pytest.mark.parametrize("text", ["", "1,,2", "20-17", "TP0-WR0", "1;2"])
def test_malformed_speaker_lists(text: str) -> None:
    """What cannot be read is shown with the flag."""
    with pytest.raises(UserError, match="--speakers"):
        parse_speakers(text)


@pytest.mark.parametrize(
    ("speakers", "kept"),
    [
        (["17"], [0]),
        (["Actor_03"], [1, 3]),
        (["3"], [1, 3]),
        (["03", "tp0", "99"], [1, 3, 8]),
    ],
)
def test_filter(folder: Path, speakers: list[str], kept: Sequence[int]) -> None:
    """A number is the same speaker however it is written."""
    found = filter_speakers(find_speech(folder), speakers)
    names = {clip.path.relative_to(folder).as_posix() for clip in found}
    assert names == {FILES[i] for i in kept}


def test_filter_that_leaves_nothing(folder: Path) -> None:
    """The message lists the speakers that there are."""
    with pytest.raises(UserError, match="none of them has a clip; there are 03, 13, 16"):
        filter_speakers(read_emodb(folder), ["99"])


def test_split_by_speaker(folder: Path) -> None:
    """Dev and test speakers are out of training, and test speakers are in neither part."""
    train, dev = speaker_split(find_speech(folder))
    assert {clip.speaker for clip in train} == {"3", "03", "SM0"}
    assert {clip.speaker for clip in dev} == {"17", "13", "KS0"}


def test_splits_are_disjoint() -> None:
    """No speaker is in two splits."""
    for corpus, speakers in DEV_SPEAKERS.items():
        assert not speakers & TEST_SPEAKERS[corpus]
        for speaker in TEST_SPEAKERS[corpus]:
            assert speaker_split([clip(corpus, speaker)]) == ([], [])


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_sound(tmp_path: Path, rate: int, suffix: str) -> None:
    """Any rate, stereo included, comes out as mono at 16 kHz with the same tone and length."""
    time = np.arange(rate) / rate
    tone = 0.5 * np.sin(2 * np.pi * 440 * time)
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, np.stack([tone, tone], axis=1), rate)
    samples = load_audio(path)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples) == pytest.approx(SAMPLE_RATE, abs=32)
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() * SAMPLE_RATE / len(samples) == pytest.approx(440, abs=1.5)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.5 / np.sqrt(2), abs=0.02)


def test_tone_keeps_its_place(tmp_path: Path) -> None:
    """Resampling neither shifts the sound nor cuts its end."""
    click = np.zeros(48_000, np.float32)
    click[24_000:24_030] = 0.9
    click[-90:] = 0.9
    soundfile.write(tmp_path / "click.wav", click, 48_000)
    samples = load_audio(tmp_path / "click.wav")
    assert abs(int(samples[: SAMPLE_RATE - 100].argmax()) - 8_005) <= 5
    assert samples[SAMPLE_RATE - 40 :].max() > 0.7


def test_undecodable_sound(tmp_path: Path) -> None:
    """A file that is no sound, absent or empty is named."""
    path = tmp_path / "x.wav"
    with pytest.raises(UserError, match=r"x\.wav: cannot be decoded"):
        load_audio(path)
    path.write_bytes(b"RIFF")
    with pytest.raises(UserError, match=r"x\.wav: cannot be decoded"):
        load_audio(path)
    soundfile.write(path, np.zeros(0), 16_000)
    with pytest.raises(UserError, match=r"x\.wav: has no samples"):
        load_audio(path)


@pytest.mark.parametrize(
    ("corpus", "clips", "dev"), [("ravdess", 1200, 240), ("emodb", 350, 112), ("nemo", 3403, 1079)]
)
def test_counts(corpora: Path, corpus: str, clips: int, dev: int) -> None:
    """The numbers of docs/data.md come out, without the speakers of the final evaluation."""
    found = [
        clip
        for clip in find_speech(corpora / corpus)
        if clip.speaker not in TEST_SPEAKERS[clip.corpus]
    ]
    train, kept = speaker_split(found)
    assert (len(found), len(train), len(kept)) == (clips, clips - dev, dev)
