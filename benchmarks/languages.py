"""How surely English words are told from what Whisper tiny.en writes for other languages.

    python -m benchmarks.languages --data FOLDER

Reads clips of RAVDESS (English; also under noise), EmoDB (German), nEMO (Polish) and EmoGator
(no words at all), and prints per corpus how sure the recogniser was, how often
`engine.language_check` gave its hint in runs of utterances drawn at random, and how many of the
utterances went without words.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles

import numpy as np
from rich.progress import track
from rich.table import Table

from engine.arguments import Parser, run_command
from engine.language_check import KEPT_UTTERANCES, LEAST_LOG_PROBABILITY, LanguageCheck
from engine.transcriber import MAX_NO_SPEECH, Heard, Transcriber
from export.models import resolve
from stream.media import Samples
from training.datasets.speech import load_audio
from training.progress import Results

SOUND = (".flac", ".ogg", ".opus", ".wav")
NOISE_DB: dict[str, float | None] = {"": None, ", noise 10 dB": 10.0, ", noise 0 dB": 0.0}
"""Speech above pink noise."""
RUNS = 200
"""Runs drawn of each corpus."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, measure, print."""
    parser = Parser(
        prog="python -m benchmarks.languages",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with ravdess/ and others")
    parser.add_argument("--clips", type=int, default=60, help="of each corpus (default: 60)")
    options = parser.parse_args(arguments)
    recognise = Transcriber(resolve("whisper-tiny.en"))
    table = Table("speech", "clips", "sure (log): median", "10 %", "90 %")
    for heading in (f"below {LEAST_LOG_PROBABILITY}", "runs with a hint", "without words in runs"):
        table.add_column(heading)
    for corpus in ("ravdess", "emodb", "nemo", "emogator"):
        sounds = _sounds(options.data / corpus, options.clips)
        for name, decibels in NOISE_DB.items():
            if decibels is None or corpus == "ravdess":
                shown = track(sounds, corpus + name, transient=True)
                heard = [recognise.hear(_noisy(sound, decibels)) for sound in shown]
                table.add_row(corpus + name, *_row(heard))
    Results().print(table)
    return 0


def _sounds(folder: Path, count: int) -> list[Samples]:
    files = sorted(path for path in folder.rglob("*") if path.suffix in SOUND)
    return [load_audio(path) for path in random.Random(2).sample(files, min(count, len(files)))]


def _noisy(sound: Samples, decibels: float | None) -> Samples:
    """Sound with pink noise so far below it; unchanged without a figure."""
    if decibels is None:
        return sound
    white = np.fft.rfft(np.random.default_rng(1).normal(size=len(sound)))
    pink = np.fft.irfft(white / np.sqrt(np.arange(1, len(white) + 1)), len(sound))
    level = np.sqrt(np.mean(np.square(sound)) / np.mean(np.square(pink)))
    return np.asarray(sound + pink * level * 10 ** (-decibels / 20), np.float32)


def _row(heard: Sequence[Heard]) -> list[str]:
    sure = [one.log_probability for one in heard]
    tenths = quantiles(sure, n=10)
    below = sum(value < LEAST_LOG_PROBABILITY for value in sure) / len(sure)
    runs = [_run(heard, random.Random(number)) for number in range(RUNS)]
    hints = sum(hinted for hinted, _ in runs) / RUNS
    empty = sum(share for _, share in runs) / RUNS
    values = [f"{value:.2f}" for value in (median(sure), tenths[0], tenths[-1])]
    return [str(len(heard)), *values, *(f"{share:.1%}" for share in (below, hints, empty))]


def _run(heard: Sequence[Heard], chance: random.Random) -> tuple[bool, float]:
    """Whether one run gives the hint, and the share of its utterances without words."""
    check, hinted, empty = LanguageCheck(), False, 0
    drawn = chance.sample(heard, min(KEPT_UTTERANCES, len(heard)))
    for number, one in enumerate(drawn):
        judged = one.no_speech <= MAX_NO_SPEECH and not one.repeats
        words = len(one.text.split())
        foreign = judged and not check.believes(str(number), words, one.log_probability)
        hinted |= foreign
        empty += foreign or not one.words
    return hinted, empty / len(drawn)


if __name__ == "__main__":
    run_command(main)
