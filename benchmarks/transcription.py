"""What a short window costs and saves in speech recognition.

    python -m benchmarks.transcription --data FOLDER

Reads clips of RAVDESS, whose two sentences are known, in Whisper's own windows of 30 s and in
those of `engine.transcriber`, on one thread, and prints word error rates and times.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from engine import transcriber
from export.models import resolve
from training.datasets.speech import find_speech, load_audio
from training.evaluation.word_errors import word_errors

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
    parser = argparse.ArgumentParser(
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
        heard, began = [], time.perf_counter()
        for clip in track(clips, name, transient=True):
            heard.append(recognise(load_audio(clip.path)))
        took = (time.perf_counter() - began) / len(clips)
        table.add_row(name, f"{word_errors(said, heard).rate:.1%}", f"{1000 * took:.0f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
