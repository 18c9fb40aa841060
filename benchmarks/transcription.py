"""What a short window costs and saves in speech recognition, and what of a voice it writes down.

    python -m benchmarks.transcription --data FOLDER

Reads clips of RAVDESS, whose two sentences are known, in Whisper's own windows of 30 s and in
those of `engine.transcriber`, on one thread, and prints word error rates and times; then how
often there is an exclamation mark in what was said with each emotion.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.progress import track
from rich.table import Table

from engine import transcriber
from engine.arguments import Parser, run_command
from export.models import resolve
from training.datasets.speech import find_speech, load_audio
from training.evaluation.word_errors import word_errors
from training.progress import Results

SENTENCES = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
"""By the fifth number in a file's name."""
WINDOWS = {
    "30 s": (30.0, 30.0),
    "+ 1 s": (1.0, 0.0),
    "+ 2 s": (2.0, 0.0),
    "as the engine's": (transcriber.SILENCE_SECONDS, transcriber.LEAST_SECONDS),
}
"""Silence after the utterance and least length."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, measure, print."""
    parser = Parser(
        prog="python -m benchmarks.transcription",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with ravdess/ in it")
    parser.add_argument("--clips", type=int, default=60, help="how many (default: 60)")
    options = parser.parse_args(arguments)
    found = [clip for clip in find_speech(options.data / "ravdess") if clip.corpus == "ravdess"]
    clips = random.Random(1).sample(found, min(options.clips, len(found)))
    recognise = transcriber.Transcriber(resolve("whisper-tiny.en"), threads=1)
    table = Table("window", "word error rate", "ms a clip", title=f"{len(clips)} clips")
    said = [SENTENCES[clip.path.stem.split("-")[4]] for clip in clips]
    for name, (silence, least) in WINDOWS.items():
        transcriber.SILENCE_SECONDS, transcriber.LEAST_SECONDS = silence, least
        began = time.perf_counter()
        heard = [recognise(load_audio(clip.path)) for clip in track(clips, name, transient=True)]
        took = (time.perf_counter() - began) / len(clips)
        table.add_row(name, f"{word_errors(said, heard).rate:.1%}", f"{1000 * took:.0f}")
    Results().print(table, exclamations([clip.emotion for clip in clips], heard))
    return 0


def exclamations(emotions: Sequence[str], heard: Sequence[str]) -> Table:
    """How many of the transcripts have an exclamation mark, by emotion."""
    marked = Counter(emotion for emotion, text in zip(emotions, heard, strict=True) if "!" in text)
    table = Table("emotion", "clips", "with an exclamation mark")
    for emotion, count in sorted(Counter(emotions).items()):
        table.add_row(emotion, str(count), f"{marked[emotion] / count:.0%}")
    return table


if __name__ == "__main__":
    run_command(main)
