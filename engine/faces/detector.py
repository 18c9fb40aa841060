"""BlazeFace, the short-range face detector (Bazarevsky et al., arXiv 1907.05047).

The network sees 128x128 pixels and answers for 896 anchors: a score, and a box and six
keypoints relative to the anchor's centre. A face below about a sixth of the side of
what it sees is missed, hence the tiles.

Letters in shapes: H height, W width, A anchors, S side of the network's input.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.faces.geometry import Box, Square, overlap, tiles, whole
from engine.faces.network import load_interpreter
from engine.faces.presence import UNCHECKED, FacePresence, Presence
from stream.errors import UserError
from stream.media import Image

SIDE = 128
"""S, pixels."""
ANCHORS_PER_CELL = {8: 2, 16: 6}
"""By the stride of the feature map in pixels; published with the model's graph."""
SCORE_LIMIT = 80.0
"""Raw scores are clipped to this before the sigmoid, so that it stays in float32."""
MIN_SCORE = 0.5
"""Faces below this are not reported."""
SAME_FACE = 0.3
"""Boxes that overlap more than this are blended into one."""
KEYPOINTS = ("right eye", "left eye", "nose", "mouth", "right ear", "left ear")
"""Order of the keypoints; right and left are the person's own."""

Floats = NDArray[np.float32]

_ADVICE = "fetch it with `python -m export.models blazeface`"


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a picture."""

    box: Box
    """From the eyebrows to the chin, pixels of the picture."""
    score: float
    """Confidence, 0 to 1."""
    keypoints: Floats
    """Shape (6, 2), x and y in pixels, in the order of `KEYPOINTS`."""


class FaceDetector:
    """Finds faces; about 2 ms per look on one thread. Not for several threads at once."""

    def __init__(
        self, model_path: Path, landmarks: Path | None = None, *, min_score: float = MIN_SCORE
    ) -> None:
        """Load the networks.

        Args:
            model_path: The short-range BlazeFace in TensorFlow Lite form.
            landmarks: The prepared model `face-landmarks`, which tells what is a face; None to
                believe the detector.
            min_score: Faces below this score are not reported.

        Raises:
            UserError: If a file is missing or is another network.
        """
        self.min_score = min_score
        self._check = None if landmarks is None else FacePresence(landmarks)
        self._network = load_interpreter(model_path, f"the face detector {model_path}", _ADVICE)
        (taken,) = self._network.get_input_details()
        given = {tuple(item["shape"]): item["index"] for item in self._network.get_output_details()}
        self._anchors = anchors()
        boxes, scores = (1, len(self._anchors), 16), (1, len(self._anchors), 1)
        if tuple(taken["shape"]) != (1, SIDE, SIDE, 3) or set(given) != {boxes, scores}:
            raise UserError(
                f"{model_path} is not the short-range BlazeFace: its input has the shape "
                f"{taken['shape'].tolist()}; {_ADVICE}"
            )
        self._input, self._boxes, self._scores = taken["index"], given[boxes], given[scores]

    def __call__(self, image: Image) -> list[Face]:
        """Find faces in a whole picture, the best first.

        Looks once at everything; only where that finds nothing, at tiles, in which small
        faces are larger. Finds faces from about a sixth of the picture's shorter side.

        Args:
            image: Shape (H, W, 3), RGB.
        """
        height, width = image.shape[:2]
        if found := self.within(image, whole(height, width)):
            return found
        found = [face for tile in tiles(height, width) for face in self.within(image, tile)]
        return blend(found)

    def presence(self, image: Image, box: Box) -> Presence:
        """Tell whether a box shows a face; of any box where there are no landmarks.

        Args:
            image: Shape (H, W, 3), RGB.
            box: Where a face was found.
        """
        return UNCHECKED if self._check is None else self._check(image, box)

    def within(self, image: Image, square: Square) -> list[Face]:
        """Find faces in one part of a picture with a single look, the best first.

        Args:
            image: Shape (H, W, 3), RGB.
            square: Where to look; what lies outside the picture counts as black.
        """
        pixels = letterbox(image, square).astype(np.float32) / 127.5 - 1
        self._network.set_tensor(self._input, pixels[None])
        self._network.invoke()
        raw_scores = self._network.get_tensor(self._scores)[0, :, 0]  # (A,)
        scores = 1 / (1 + np.exp(-np.clip(raw_scores, -SCORE_LIMIT, SCORE_LIMIT)))
        kept = scores >= self.min_score
        raw = self._network.get_tensor(self._boxes)[0, kept] / SIDE  # (kept, 16)
        return blend(
            [
                _face(values, anchor, float(score), square)
                for values, anchor, score in zip(
                    raw, self._anchors[kept], scores[kept], strict=True
                )
            ]
        )


def anchors() -> Floats:
    """Centres of the anchors, shape (A, 2), x and y as shares of the side."""
    centres = []
    for stride, count in ANCHORS_PER_CELL.items():
        cells = SIDE // stride
        y, x = np.mgrid[:cells, :cells]
        grid = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / cells
        centres.append(grid.repeat(count, axis=0))
    return np.concatenate(centres).astype(np.float32)


def letterbox(image: Image, square: Square) -> Image:
    """The part of a picture in a square, shrunk or enlarged to (S, S, 3)."""
    height, width = image.shape[:2]
    left, top = square.corner
    x0, y0 = max(0, int(np.floor(left))), max(0, int(np.floor(top)))
    x1 = min(width, int(np.ceil(left + square.side)))
    y1 = min(height, int(np.ceil(top + square.side)))
    canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
    if x0 >= x1 or y0 >= y1:
        return canvas
    scale = SIDE / square.side
    column, row = (round(max(0.0, edge) * scale) for edge in (x0 - left, y0 - top))
    columns = min(SIDE - column, max(1, round((x1 - x0) * scale)))
    rows = min(SIDE - row, max(1, round((y1 - y0) * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    if columns > 0 and rows > 0:
        part = cv2.resize(image[y0:y1, x0:x1], (columns, rows), interpolation=method)
        canvas[row : row + rows, column : column + columns] = part
    return canvas


def blend(faces: list[Face]) -> list[Face]:
    """Make one face of those that overlap: their mean, weighted by score.

    BlazeFace's replacement for non-maximum suppression (section 3.3); the boxes shake
    less from frame to frame than with the best box alone.
    """
    rest = sorted(faces, key=lambda face: face.score, reverse=True)
    blended = []
    while rest:
        same = [face for face in rest if overlap(rest[0].box, face.box) > SAME_FACE] or rest[:1]
        rest = [face for face in rest if face not in same]
        weights = np.array([face.score for face in same])
        box = np.average([face.box for face in same], axis=0, weights=weights)
        points = np.average([face.keypoints for face in same], axis=0, weights=weights)
        blended.append(Face(Box(*box.tolist()), same[0].score, points.astype(np.float32)))
    return blended


def _face(values: Floats, anchor: Floats, score: float, square: Square) -> Face:
    """From the network's numbers, as shares of its side, to pixels of the picture."""
    points = (values.reshape(8, 2) + anchor) * square.side + square.corner  # (8, 2)
    (x, y), (width, height) = points[0], values[2:4] * square.side
    box = Box(
        float(x - width / 2), float(y - height / 2), float(x + width / 2), float(y + height / 2)
    )
    return Face(box, score, points[2:].astype(np.float32))
