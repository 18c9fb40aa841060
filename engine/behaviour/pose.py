"""Points of a body: MediaPipe's BlazePose (Bazarevsky et al., arXiv 2006.10204).

A detector finds people by their faces and says where hips and size of the body are; a
second network gives 33 points in the picture and in metres. About 40 ms a body on one core,
of which the networks take 12 and 21.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np

from engine.behaviour.network import Network, sigmoid
from engine.behaviour.region import Floats, Region, crop, to_picture
from engine.faces import Box
from engine.faces.geometry import whole
from stream.media import Image

DETECTOR_FILE = "pose_detection.tflite"
LANDMARK_FILE = "pose_landmark_full.tflite"
DETECTOR_SIDE, LANDMARK_SIDE = 224, 256
"""Sides of the networks' inputs, pixels."""
STRIDES = {8: 2, 16: 2, 32: 6}
"""Anchors per cell by the stride of the feature map in pixels; published with the graph."""
BODY_SCALE = 1.25
"""Side of what the second network looks at, in twice the distance of the alignment points."""
POSE_POINTS, RAW_POINTS = 33, 39
"""Points of the body, and with those that only serve to find the next region."""
HEATMAP_SIDE = 64
REFINED_CELLS = 3
"""Cells on each side of a point that its heatmap is averaged over to place it more exactly."""
MIN_SCORE = 0.5
MIN_PRESENCE = 0.5
MIN_VISIBILITY = 0.5
"""MediaPipe's own defaults for when a detection, a pose or a point counts."""
SAME_PERSON = 1.0
"""How far the nose may be from the middle of the face that is asked for, in its sides."""


class Point(IntEnum):
    """Points of the body that are used; right and left are the person's own."""

    NOSE = 0
    LEFT_EAR = 7
    RIGHT_EAR = 8
    LEFT_SHOULDER = 11
    RIGHT_SHOULDER = 12
    LEFT_ELBOW = 13
    RIGHT_ELBOW = 14
    LEFT_WRIST = 15
    RIGHT_WRIST = 16
    LEFT_INDEX = 19
    RIGHT_INDEX = 20


@dataclass(frozen=True, eq=False)
class PoseLandmarks:
    """Where the points of one body are."""

    points: Floats
    """Shape (33, 2), pixels of the picture."""
    metres: Floats
    """Shape (33, 3), metres from between the hips: to the right of the picture, down, away."""
    visibility: Floats
    """Shape (33,), 0 to 1: how likely a point is inside the picture and not hidden."""
    presence: float
    """Confidence that this is a body, 0 to 1."""

    def sees(self, *points: Point) -> bool:
        """Whether all of some points are visible."""
        return bool((self.visibility[list(points)] >= MIN_VISIBILITY).all())


class PoseLandmarker:
    """Finds the points of the body that belongs to a face."""

    def __init__(self, folder: Path) -> None:
        """Load both networks.

        Args:
            folder: The prepared model `pose`.

        Raises:
            UserError: If a file is missing or is another network.
        """
        self._anchors = _anchors()
        count = len(self._anchors)
        self._detector = Network(
            folder / DETECTOR_FILE,
            DETECTOR_SIDE,
            {"Identity": (1, count, 12), "Identity_1": (1, count, 1)},
            "pose",
        )
        self._landmarks = Network(
            folder / LANDMARK_FILE,
            LANDMARK_SIDE,
            {
                "Identity": (1, 5 * RAW_POINTS),
                "Identity_1": (1, 1),
                "Identity_3": (1, HEATMAP_SIDE, HEATMAP_SIDE, RAW_POINTS),
                "Identity_4": (1, 3 * RAW_POINTS),
            },
            "pose",
        )

    def __call__(self, image: Image, face: Box) -> PoseLandmarks | None:
        """Find the body of the person with a face; None where it is not found.

        Args:
            image: Shape (H, W, 3), RGB.
            face: The person's face in the same picture.
        """
        region = self._region(image, face)
        if region is None:
            return None
        found = self._landmarks(crop(image, region, LANDMARK_SIDE) / 255)
        presence = float(found["Identity_1"].item())
        raw = found["Identity"].reshape(RAW_POINTS, 5)[:POSE_POINTS]
        refined = _refined(raw[:, :3], found["Identity_3"][0])
        points = to_picture(refined, region, LANDMARK_SIDE)[:, :2]
        if presence < MIN_PRESENCE or _distance(points[Point.NOSE].tolist(), face) > SAME_PERSON:
            return None
        height, width = image.shape[:2]
        inside = ((points >= 0) & (points < [width, height])).all(axis=1)
        visibility = np.where(inside, sigmoid(raw[:, 3]) * sigmoid(raw[:, 4]), 0)
        metres = _turned(found["Identity_4"].reshape(RAW_POINTS, 3)[:POSE_POINTS], region.angle)
        return PoseLandmarks(points, metres, visibility.astype(np.float32), presence)

    def _region(self, image: Image, face: Box) -> Region | None:
        """Where the body of a face is."""
        square = whole(*image.shape[:2])
        seen = Region(square.x, square.y, square.side)
        pixels = crop(image, seen, DETECTOR_SIDE) / 127.5 - 1
        found = self._detector(pixels)
        scores = sigmoid(found["Identity_1"][0, :, 0])
        kept = scores >= MIN_SCORE
        raw = found["Identity"][0, kept].reshape(-1, 6, 2)  # box middle, box size, 4 points
        raw[:, [0, 2, 3, 4, 5]] += self._anchors[kept, None] * DETECTOR_SIDE
        scale = square.side / DETECTOR_SIDE
        placed = raw * scale + [square.corner if row != 1 else (0.0, 0.0) for row in range(6)]
        near = [
            (float(score), body)
            for score, body in zip(scores[kept], placed, strict=True)
            if _distance(body[0].tolist(), face) < SAME_PERSON
        ]
        if not near:
            return None
        weights = [score for score, _ in near]
        hips, top = np.average([body[2:4] for _, body in near], axis=0, weights=weights)
        (x, y), (dx, dy) = hips.tolist(), (top - hips).tolist()
        side = max(1.0, 2 * BODY_SCALE * math.hypot(dx, dy))
        return Region(x, y, side, math.atan2(dx, -dy))


def _anchors() -> Floats:
    """Centres of the detector's anchors, shape (2254, 2), as shares of the side."""
    centres = []
    for stride, count in STRIDES.items():
        cells = DETECTOR_SIDE // stride
        y, x = np.mgrid[:cells, :cells]
        centres.append((np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5).repeat(count, 0) / cells)
    return np.concatenate(centres).astype(np.float32)


def _refined(points: Floats, heatmaps: Floats) -> Floats:
    """Place points at the mean of their heatmap nearby, where that is confident.

    Without this, which MediaPipe's graph does too, points are off by several pixels of the
    crop, which is much where only head and shoulders are in the picture.

    Args:
        points: Shape (33, 3), pixels of the crop.
        heatmaps: Logits, shape (64, 64, 39), the first 33 of the same points.
    """
    refined = points.copy()
    cell = LANDMARK_SIDE / HEATMAP_SIDE
    for index, (column, row) in enumerate((points[:, :2] // cell).astype(int)):
        if not (0 <= column < HEATMAP_SIDE and 0 <= row < HEATMAP_SIDE):
            continue
        left, top = max(0, column - REFINED_CELLS), max(0, row - REFINED_CELLS)
        near = heatmaps[top : row + REFINED_CELLS + 1, left : column + REFINED_CELLS + 1, index]
        weights = sigmoid(near)
        if weights.max() >= MIN_VISIBILITY:
            y, x = np.mgrid[top : top + near.shape[0], left : left + near.shape[1]]
            refined[index, :2] = np.array([(x * weights).sum(), (y * weights).sum()])
            refined[index, :2] *= cell / weights.sum()
    return refined


def _distance(point: Sequence[float], face: Box) -> float:
    """From a point to the middle of a face, in sides of its box."""
    return math.dist(point, face.centre) / max(face.side, 1.0)


def _turned(metres: Floats, angle: float) -> Floats:
    """Points of a turned region in the picture's own directions."""
    cosine, sine = math.cos(angle), math.sin(angle)
    matrix = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    return np.asarray(metres @ matrix.T, np.float32)
