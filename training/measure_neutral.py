"""Measure faces at rest, for people of whom nothing is known yet.

    python -m training.measure_neutral FER2013 [--images 800] [--seed 0]

Of faces that the annotators of FERPlus found neutral, prints the median and the robust
standard deviation (1.4826 times the median absolute deviation) of every number of a face,
and next to them how far the medians of the other labels are from that. The first two are
in `engine.behaviour.measures.MEASURES`; the rest shows what the numbers can tell.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.arguments import Parser, run_command
from engine.behaviour.face_measures import face_measures
from engine.behaviour.head import head_of
from engine.behaviour.landmarks import FaceLandmarker
from engine.faces import FaceDetector
from export.models import resolve
from stream.errors import UserError
from stream.media import Image
from training.datasets.fer2013 import Fer2013, read_fer2013
from training.datasets.labels import MELD_LABELS
from training.measure_framing import on_canvas

CLEAR_SHARE = 0.7
"""Share of the votes above which a label is clear."""
FRONTAL_DEGREES = 20.0
"""Yaw and pitch below which a face counts: the numbers of others are less exact."""
MAD_TO_SIGMA = 1.4826

Numbers = Mapping[str, float]


def measure(
    pictures: Iterable[Image], detector: FaceDetector, landmarker: FaceLandmarker
) -> list[Numbers]:
    """The numbers of every near-frontal face that is found.

    Args:
        pictures: Each (S, S) grey.
        detector: Finds the faces; the best one of a picture counts.
        landmarker: Finds their points.
    """
    measured: list[Numbers] = []
    for picture in pictures:
        image = on_canvas(picture)
        for found in detector(image)[:1]:
            face = landmarker(image, found.box)
            head = None if face is None else head_of(face, *image.shape[:2])
            if head is not None and max(abs(head.yaw), abs(head.pitch)) < FRONTAL_DEGREES:
                measured.append(face_measures(head))
    return measured


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Median and robust standard deviation."""
    middle = float(np.median(values))
    return middle, MAD_TO_SIGMA * float(np.median(np.abs(np.array(values) - middle)))


def clear(data: Fer2013, label: int, count: int, seed: int) -> Iterator[Image]:
    """Some pictures whose label is clear, chosen at random."""
    found = np.flatnonzero((data.majority == label) & (data.votes[:, label] > CLEAR_SHARE))
    return iter(data.images[np.random.default_rng(seed).permutation(found)[:count]])


def report(faces: Mapping[str, Sequence[Numbers]]) -> Iterator[str]:
    """Lines of a table: a row per number; label columns in deviations from neutral."""
    yield f"{'measure':15}{'neutral':>9}{'sigma':>8}" + "".join(f"{name:>10}" for name in faces)
    for name in faces["neutral"][0]:
        middle, sigma = spread([numbers[name] for numbers in faces["neutral"]])
        others = (
            (np.median([numbers[name] for numbers in found]) - middle) / max(sigma, 1e-9)
            if found
            else np.nan
            for found in faces.values()
        )
        yield f"{name:15}{middle:9.3f}{sigma:8.3f}" + "".join(f"{value:+10.1f}" for value in others)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; returns the exit code."""
    parser = Parser(
        prog="python -m training.measure_neutral",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("fer2013", type=Path, help="folder or file of FER2013 with FERPlus")
    parser.add_argument("--images", type=int, default=800, help="pictures per label (800)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of pictures (0)")
    options = parser.parse_args(arguments)
    try:
        data = read_fer2013(options.fer2013, "Training")
        detector = FaceDetector(resolve("blazeface"))
        landmarker = FaceLandmarker(resolve("face-landmarks"))
        faces = {
            label: measure(clear(data, index, options.images, options.seed), detector, landmarker)
            for index, label in enumerate(MELD_LABELS)
        }
        if not faces["neutral"]:
            raise UserError(f"{options.fer2013} shows no neutral face: is it FER2013?")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    counts = ", ".join(f"{label} {len(found)}" for label, found in faces.items())
    print(f"near-frontal faces measured: {counts}")
    print("\n".join(report(faces)))
    return 0


if __name__ == "__main__":
    run_command(main)
