"""What describing the behaviour of an utterance costs, part by part, on one thread.

Processor time of one thread, so other work on the machine matters little. Boxes of faces
are given to the reader, as live recognition does: it tracks faces for the model anyway.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2

from engine.arguments import Parser, run_command
from engine.behaviour import Baseline, BehaviourReader
from engine.behaviour.landmarks import FaceLandmarker
from engine.behaviour.pose import PoseLandmarker
from engine.behaviour.reader import FACE_FRAMES, POSE_FRAMES
from engine.faces import FaceDetector, track_faces
from export.models import resolve
from stream.cutter import UtteranceCutter
from stream.errors import UserError
from stream.media import Utterance
from stream.sources import open_source

CROP_SIDE = 48
"""Of the tracked faces, as in the compact spec."""


async def utterances(path: Path, seconds: float) -> list[Utterance]:
    """The pictures of a file in windows of some seconds."""
    cutter = UtteranceCutter(None, participant="p", window_seconds=seconds)
    async with open_source(str(path), pace="max", audio=False) as source:
        cut = [one async for item in source for one in cutter.push(item)]
    return cut + cutter.flush()


def measure(cut: Sequence[Utterance]) -> dict[str, float]:
    """Median milliseconds of each part, over the utterances with a face.

    Raises:
        UserError: No utterance has one, or the weights cannot be had.
    """
    weights = [resolve(name) for name in ("face-landmarks", "pose", "blazeface")]
    reader = BehaviourReader(*weights)
    face, pose = FaceLandmarker(weights[0]), PoseLandmarker(weights[1])
    detector = FaceDetector(weights[2])
    taken: defaultdict[str, list[float]] = defaultdict(list)
    for one in cut[:1]:  # the first reading of all takes longer
        reader.read(one.frames, Baseline())
    for one in cut:
        with _timed(taken["tracking the face, all frames"]):
            crops = track_faces(one.frames, detector, CROP_SIDE).crops
        boxes = [None if crop is None else crop.box for crop in crops]
        for frame, box in list(zip(one.frames, boxes, strict=True))[:: len(boxes) // 3 or 1]:
            if box is not None:
                with _timed(taken["points of the face, one frame"]):
                    face(frame.image, box)
                with _timed(taken["points of the body, one frame"]):
                    pose(frame.image, box)
        if any(boxes):
            with _timed(taken["behaviour, one utterance with known faces"]):
                reader.read(one.frames, Baseline(), boxes)
            with _timed(taken["behaviour, one utterance"]):
                reader.read(one.frames, Baseline())
    if "behaviour, one utterance" not in taken:
        raise UserError("no face is seen in the file: give another")
    return {part: round(statistics.median(times), 1) for part, times in taken.items()}


@contextmanager
def _timed(taken: list[float]) -> Iterator[None]:
    """Note the processor time of this thread, in milliseconds."""
    began = time.thread_time()
    yield
    taken.append(1000 * (time.thread_time() - began))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit code."""
    parser = Parser(prog="python -m benchmarks.behaviour", description=__doc__)
    parser.add_argument("file", type=Path, help="a video with a face, such as demo/talk.mp4")
    parser.add_argument("--seconds", type=float, default=3.0, help="of an utterance (default: 3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if not options.seconds > 0:
        parser.error(f"--seconds {options.seconds:g}: must be positive")
    cv2.setNumThreads(1)
    try:
        parts = measure(asyncio.run(utterances(options.file, options.seconds)))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(parts))
        return 0
    print(f"at most {FACE_FRAMES} faces and {POSE_FRAMES} bodies of an utterance")
    for part, milliseconds in parts.items():
        print(f"{part:44}{milliseconds:8.1f} ms")
    return 0


if __name__ == "__main__":
    run_command(main)
