"""Pictures of people made from a real face: a drawn body below it, or a warped mouth."""

from __future__ import annotations

import cv2
import numpy as np

from engine.behaviour.landmarks import FaceLandmarks
from stream.media import Image

HEAD_X, NECK_Y = 352, 184
"""Middle of the face, and where the neck begins, in a drawn picture."""


def person(face: Image, *, left_lower: int = 0, hand: tuple[int, int] | None = None) -> Image:
    """A drawn trunk below a real face, 640x480.

    Args:
        face: The first frame of the demo clip.
        left_lower: Pixels by which the left shoulder is lower than the middle of both.
        hand: Where the hand of the right arm is; None for no arms.
    """
    canvas = np.full((480, 640, 3), 60, np.uint8)
    canvas[40:184, 180:436] = cv2.resize(face, (256, 144), interpolation=cv2.INTER_AREA)
    cv2.rectangle(
        canvas, (HEAD_X - 22, NECK_Y - 6), (HEAD_X + 22, NECK_Y + 20), (150, 120, 100), -1
    )
    right = [(-25, 8), (-95, 35 - left_lower), (-115, 70), (-110, 296)]
    left = [(110, 296), (115, 70), (95, 35 + left_lower), (25, 8)]
    trunk = np.array([(HEAD_X + x, NECK_Y + y) for x, y in right + left])
    cv2.fillPoly(canvas, [trunk], (150, 40, 40), cv2.LINE_AA)
    if hand is not None:
        shoulder, elbow = (HEAD_X - 105, NECK_Y + 60), (HEAD_X - 150, NECK_Y + 190)
        cv2.line(canvas, shoulder, elbow, (120, 30, 30), 40, cv2.LINE_AA)
        cv2.line(canvas, elbow, hand, (120, 30, 30), 34, cv2.LINE_AA)
        cv2.circle(canvas, hand, 24, (190, 150, 130), -1, cv2.LINE_AA)
    return canvas


def warped(image: Image, face: FaceLandmarks, points: tuple[int, ...], dy: float) -> Image:
    """A picture with the surroundings of some points of a face moved.

    Args:
        image: Shape (H, W, 3).
        face: Where its points are.
        points: Which of them, by number in the mesh.
        dy: How far down, in distances between the outer eye corners.
    """
    unit = float(np.linalg.norm(face.points[263, :2] - face.points[33, :2]))
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    source = y.copy()
    for point in points:
        px, py = face.points[point, :2]
        near = np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * (0.12 * unit) ** 2))
        source -= (dy * unit * near).astype(np.float32)
    return np.asarray(cv2.remap(image, x, source, cv2.INTER_LINEAR), np.uint8)
