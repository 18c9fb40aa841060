"""How many faces are found, and how many of those that are none, with and without landmarks.

Faces of FER2013 that annotators of FERPlus read an emotion from, put on a plain ground: small,
dark, blurred, tilted, cut off, turned upside down; and cut into sixteen squares that are put
together in another order, which the detector takes for faces often enough.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from engine.arguments import Parser, run_command
from engine.faces import FaceDetector
from engine.faces.presence import KEPT_PRESENCE, MIN_PRESENCE
from export.models import resolve
from stream.errors import UserError
from stream.media import Image
from training.datasets.fer2013 import read_fer2013

HEIGHT, WIDTH, GROUND = 240, 320, 100
"""Of the pictures that faces are put on: pixels, and grey levels."""
LIMITS = (KEPT_PRESENCE, MIN_PRESENCE, 0.8)
"""Of the presence: as faces are kept, as they begin, and a stricter one."""


@dataclass(frozen=True)
class Case:
    """One way to show a face."""

    name: str
    side: int = 120
    """Of FER2013's crop in the picture, pixels."""
    roll: float = 0.0
    """Degrees."""
    blur: float = 0.0
    """Standard deviation of a Gaussian, pixels."""
    light: float = 1.0
    """Factor of the grey levels."""
    cut: float = 0.0
    """Share of the crop that the left edge of the picture cuts off."""


CASES = (
    *(Case(f"{side} pixels", side=side) for side in (48, 64, 96, 120, 160)),
    Case("a quarter of the light", light=0.25),
    Case("an eighth of the light", light=0.125),
    Case("blurred by 2 pixels", blur=2.0),
    Case("blurred by 4 pixels", blur=4.0),
    Case("a third cut off", cut=0.33),
    *(Case(f"tilted by {roll} degrees", roll=roll) for roll in (20, 45, 60)),
    *(Case(f"turned by {roll} degrees", roll=roll) for roll in (90, 135, 180)),
)


def shown(crop: Image, case: Case) -> Image:
    """A picture (H, W, 3) with a crop (48, 48) in its middle."""
    method = cv2.INTER_AREA if case.side < len(crop) else cv2.INTER_CUBIC
    face = cv2.resize(crop, (case.side, case.side), interpolation=method)
    canvas = np.full((HEIGHT, WIDTH), GROUND, np.uint8)
    y, x = (HEIGHT - case.side) // 2, (WIDTH - case.side) // 2
    canvas[y : y + case.side, x : x + case.side] = face
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), case.roll, 1)
    drawn = cv2.warpAffine(canvas, matrix, (WIDTH, HEIGHT), borderValue=GROUND)
    if case.blur:
        drawn = cv2.GaussianBlur(drawn, (0, 0), case.blur)
    lit = np.clip(
        case.light * drawn[:, round(x + case.cut * case.side) if case.cut else 0 :], 0, 255
    )
    return np.ascontiguousarray(np.repeat(lit.astype(np.uint8)[:, :, None], 3, 2))


def shuffled(crop: Image, generator: np.random.Generator) -> Image:
    """The sixteen squares of a crop (48, 48) in another order."""
    parts = crop.reshape(4, 12, 4, 12).transpose(0, 2, 1, 3).reshape(16, 12, 12)
    mixed = parts[generator.permutation(16)].reshape(4, 4, 12, 12).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(mixed.reshape(48, 48))


def scores(
    crops: Sequence[Image], detector: FaceDetector, draw: Callable[[Image], Image]
) -> list[float]:
    """The presence of each crop that the detector finds a face in; 0 of one upside down."""
    found = []
    for crop in crops:
        picture = draw(crop)
        if seen := [detector.presence(picture, face.box) for face in detector(picture)]:
            found.append(max(one.score if one.upright else 0.0 for one in seen))
    return found


def table(crops: Sequence[Image], detector: FaceDetector) -> list[str]:
    """Lines of a table in Markdown: how much of what is shown counts as a face.

    That is without landmarks, then with some thresholds of the presence.
    """
    generator = np.random.default_rng(0)
    mixed = [shuffled(crop, generator) for crop in crops]
    columns = ["shown", "found", *(f"presence {limit:g}" for limit in LIMITS)]
    lines = [_row(columns), _row(["---"] * len(columns))]
    for case in (*CASES, None):
        draw = partial(shown, case=case or Case("in sixteen pieces"))
        found = scores(crops if case else mixed, detector, draw)
        name = case.name if case else "in sixteen pieces, in another order"
        shares = [len(found), *(sum(one >= limit for one in found) for limit in LIMITS)]
        lines.append(_row([name, *(f"{100 * share / len(crops):.0f} %" for share in shares)]))
    return lines


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = Parser(description=__doc__, prog="python -m benchmarks.face_presence")
    parser.add_argument("data", type=Path, help="folder of FER2013")
    parser.add_argument("--faces", type=int, default=300, metavar="N")
    options = parser.parse_args(arguments)
    try:
        data = read_fer2013(options.data, "PublicTest")
        detector = FaceDetector(resolve("blazeface"), resolve("face-landmarks"))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    usable = np.random.default_rng(0).permutation(np.flatnonzero(data.usable))[: options.faces]
    print("\n".join(table([data.images[index] for index in usable], detector)))
    return 0


if __name__ == "__main__":
    run_command(main)
