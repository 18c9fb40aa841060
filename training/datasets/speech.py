"""Acted emotional speech: RAVDESS (English), EmoDB (German) and nEMO (Polish).

The three are told apart by their file names, so one folder may hold any mix of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile

from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples
from training.datasets.folders import files_below
from training.datasets.labels import EMODB_TO_MELD, NEMO_TO_MELD, RAVDESS_TO_MELD

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg")

LAYOUTS = {
    "ravdess": "speech files like Actor_17/03-01-05-01-02-01-17.wav",
    "emodb": "files like 03a01Fa.wav",
    "nemo": "files like samples/TP0_anger_12.wav",
}
"""What a corpus's files look like, for the messages."""

DEV_SPEAKERS = {
    "ravdess": frozenset({"17", "18", "19", "20"}),
    "emodb": frozenset({"13", "14"}),
    "nemo": frozenset({"EB0", "KS0"}),
}
"""Who is left out of training to choose on: of nEMO one woman and one man, each recorded with
all six emotions."""

TEST_SPEAKERS = {
    "ravdess": frozenset({"21", "22", "23", "24"}),
    "emodb": frozenset({"15", "16"}),
    "nemo": frozenset({"TP0", "WR0"}),
}
"""Who is kept for a final evaluation: in no split that `speaker_split` returns."""

# Modality 03 is audio only, vocal channel 01 is speech (02 is song).
_RAVDESS = re.compile(r"03-01-(0[1-8])-0[12]-0[12]-0[12]-(\d{2})")
_EMODB = re.compile(r"(\d{2})[a-z]\d{2}([A-Z])[a-z]?")
_NEMO = re.compile(r"([A-Z]{2}\d)_([a-z]+)_\d+")

_EMODB_WOMEN = frozenset({"08", "09", "13", "14", "16"})
_NEMO_WOMEN = frozenset({"EB0", "IC0", "KD0", "MK0"})
_NEMO_MEN = frozenset({"KS0", "MP0", "SM0", "TP0", "WR0"})


@dataclass(frozen=True)
class SpeechClip:
    """One recorded sentence."""

    path: Path
    """Sound file."""
    corpus: str
    """`ravdess`, `emodb` or `nemo`."""
    speaker: str
    """Id in the corpus: `1` to `24`, `03` to `16`, `TP0`."""
    emotion: str
    """One of `MELD_LABELS`."""
    gender: str | None
    """`female` or `male`; None where unknown."""


def read_ravdess(folder: Path | str) -> list[SpeechClip]:
    """The speech of RAVDESS below a folder; song and the video modalities are passed over.

    Raises:
        UserError: If there is none.
    """
    return _read(folder, "ravdess")


def read_emodb(folder: Path | str) -> list[SpeechClip]:
    """The clips of EmoDB below a folder, without boredom.

    Raises:
        UserError: If there is none.
    """
    return _read(folder, "emodb")


def read_nemo(folder: Path | str) -> list[SpeechClip]:
    """The clips of nEMO below a folder.

    Raises:
        UserError: If there is none.
    """
    return _read(folder, "nemo")


def find_speech(folder: Path | str) -> list[SpeechClip]:
    """Every clip of the three corpora below a folder, sorted by corpus and file name.

    A recording that is there twice (RAVDESS's Kaggle archive repeats all) is returned once.

    Raises:
        UserError: If the folder does not exist or holds none of them.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of a speech corpus")
    found: dict[tuple[str, str], SpeechClip] = {}
    for path in files_below(folder):
        clip = recognise(path) if path.suffix.lower() in AUDIO_SUFFIXES else None
        if clip is not None:
            found.setdefault((clip.corpus, path.stem), clip)
    if not found:
        expected = "; ".join(f"{name}: {layout}" for name, layout in LAYOUTS.items())
        raise UserError(f"{folder}: no speech of a known corpus below it. Expected {expected}")
    return [found[key] for key in sorted(found)]


def recognise(path: Path) -> SpeechClip | None:
    """What a file name says; None for files of no known corpus and emotions without counterpart."""
    if match := _RAVDESS.fullmatch(path.stem):
        actor = int(match[2])
        gender = "male" if actor % 2 else "female"
        return SpeechClip(path, "ravdess", str(actor), RAVDESS_TO_MELD[match[1]], gender)
    if match := _EMODB.fullmatch(path.stem):
        emotion = EMODB_TO_MELD.get(match[2])
        gender = "female" if match[1] in _EMODB_WOMEN else "male"
        return SpeechClip(path, "emodb", match[1], emotion, gender) if emotion else None
    if (match := _NEMO.fullmatch(path.stem)) and match[2] in NEMO_TO_MELD:
        speaker = match[1]
        known = {**dict.fromkeys(_NEMO_WOMEN, "female"), **dict.fromkeys(_NEMO_MEN, "male")}
        return SpeechClip(path, "nemo", speaker, NEMO_TO_MELD[match[2]], known.get(speaker))
    return None


def _read(folder: Path | str, corpus: str) -> list[SpeechClip]:
    clips = [clip for clip in find_speech(folder) if clip.corpus == corpus]
    if not clips:
        raise UserError(f"{folder}: no {corpus} below it; expected {LAYOUTS[corpus]}")
    return clips


def parse_speakers(text: str) -> frozenset[str]:
    """Read `17-20,TP0,13`: ids and ranges of numbers, separated by commas.

    Raises:
        UserError: If it is malformed.
    """
    speakers: set[str] = set()
    for part in (part.strip() for part in text.split(",")):
        if match := re.fullmatch(r"(\d{1,3})-(\d{1,3})", part):
            low, high = int(match[1]), int(match[2])
            if low > high:
                raise UserError(f"--speakers: {part!r} runs backwards, write {high}-{low}")
            speakers.update(str(number) for number in range(low, high + 1))
        elif re.fullmatch(r"\w+", part):
            speakers.add(part)
        else:
            raise UserError(f"--speakers: cannot read {part!r}; write for example 17-20,TP0,13")
    return frozenset(speakers)


def filter_speakers(clips: Sequence[SpeechClip], speakers: Collection[str]) -> list[SpeechClip]:
    """The clips of some speakers; `3`, `03` and `Actor_03` name the same one.

    Raises:
        UserError: If none of them has a clip.
    """
    wanted = {_canonical(name) for name in speakers}
    kept = [clip for clip in clips if _canonical(clip.speaker) in wanted]
    if not kept:
        present = ", ".join(sorted({clip.speaker for clip in clips}))
        raise UserError(f"--speakers: none of them has a clip; there are {present}")
    return kept


def _canonical(speaker: str) -> str:
    name = speaker.strip().lower().removeprefix("actor_")
    return str(int(name)) if name.isdecimal() else name.upper()


def speaker_split(clips: Iterable[SpeechClip]) -> tuple[list[SpeechClip], list[SpeechClip]]:
    """Split into training and dev by speaker, without the speakers kept for a final evaluation."""
    train: list[SpeechClip] = []
    dev: list[SpeechClip] = []
    for clip in clips:
        if clip.speaker in DEV_SPEAKERS[clip.corpus]:
            dev.append(clip)
        elif clip.speaker not in TEST_SPEAKERS[clip.corpus]:
            train.append(clip)
    return train, dev


def load_audio(path: Path | str) -> Samples:
    """Read a sound file as mono at 16 kHz.

    Returns:
        (N,) float32.

    Raises:
        UserError: If the file cannot be decoded or is empty.
    """
    try:
        channels, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise UserError(f"{path}: cannot be decoded as sound; replace or remove it") from error
    mono: Samples = channels.mean(axis=1, dtype=np.float32)
    if len(mono) == 0:
        raise UserError(f"{path}: has no samples; replace or remove it")
    return mono if rate == SAMPLE_RATE else _resample(mono, rate)


def _resample(samples: Samples, rate: int) -> Samples:
    frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in frames]).astype(np.float32)
