"""Measure how FER2013 frames a face, in sides of our detector's box.

    python -m training.measure_framing FER2013 [--images 600] [--seed 0]

Live crops must show as much of a face as the pictures that the encoder was trained on.
Each picture is enlarged and put in the middle of a larger canvas, as a camera would see
it, and the detector finds the face. The medians are `engine.faces.FER2013_FRAMING`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from engine.arguments import Parser, run_command
from engine.faces import FaceDetector, Framing
from export.models import resolve
from stream.errors import UserError
from stream.media import Image
from training.datasets.fer2013 import read_fer2013

PICTURE_SIDE = 160
"""Pixels of a side of an enlarged picture."""
CANVAS_SIDE = 320
"""Pixels of a side of the canvas."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """How pictures frame their faces."""

    images: int
    """Pictures looked at."""
    scales: np.ndarray[tuple[int], np.dtype[np.float64]]
    """Per face found: side of the picture in sides of the box."""
    offsets: np.ndarray[tuple[int], np.dtype[np.float64]]
    """Per face found: middle of the picture below the middle of the box, in sides of the box."""

    @property
    def rate(self) -> float:
        """Share of pictures in which a face was found."""
        return len(self.scales) / max(1, self.images)

    @property
    def framing(self) -> Framing:
        """The median."""
        return Framing(float(np.median(self.scales)), float(np.median(self.offsets)))


def measure(pictures: Iterable[Image], detector: FaceDetector) -> Measurement:
    """Find the face in every picture.

    Args:
        pictures: Each (S, S) grey.
        detector: Finds the faces; the best one of a picture counts.
    """
    count, scales, offsets = 0, [], []
    for picture in pictures:
        count += 1
        if faces := detector(on_canvas(picture)):
            box = faces[0].box
            scales.append(PICTURE_SIDE / box.side)
            offsets.append((CANVAS_SIDE / 2 - box.centre[1]) / box.side)
    return Measurement(count, np.array(scales), np.array(offsets))


def on_canvas(picture: Image) -> Image:
    """An upscaled picture on a grey canvas, as the detector expects a face in a scene."""
    margin = (CANVAS_SIDE - PICTURE_SIDE) // 2
    large = cv2.resize(picture, (PICTURE_SIDE, PICTURE_SIDE), interpolation=cv2.INTER_CUBIC)
    canvas = cv2.copyMakeBorder(large, *(margin,) * 4, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.cvtColor(canvas, cv2.COLOR_GRAY2RGB), np.uint8)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; returns the exit code."""
    parser = Parser(
        prog="python -m training.measure_framing",
        description="Measure how FER2013 frames a face, for the crops of the live engine.",
    )
    parser.add_argument("fer2013", type=Path, help="folder or file of FER2013 with FERPlus")
    parser.add_argument("--images", type=int, default=600, help="how many pictures (600)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of pictures (0)")
    options = parser.parse_args(arguments)
    try:
        data = read_fer2013(options.fer2013, "Training")
        usable = data.images[data.usable]
        chosen = np.random.default_rng(options.seed).permutation(len(usable))[: options.images]
        found = measure(usable[chosen], FaceDetector(resolve("blazeface")))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"faces found in {found.rate:.1%} of {found.images} pictures")
    for name, values in (("scale", found.scales), ("offset_y", found.offsets)):
        low, median, high = np.percentile(values, [25, 50, 75]) if len(values) else [np.nan] * 3
        print(f"{name:9} median {median:+.3f}, quartiles {low:+.3f} {high:+.3f}")
    return 0


if __name__ == "__main__":
    run_command(main)
