"""Which way a head is turned, and its face as seen from straight ahead.

The rigid points of the mesh (eye corners, nose and temples, which no expression moves)
are matched to the neutral canonical face that MediaPipe publishes with the mesh, by the
globally optimal solution of the perspective n-point problem (Terzakis and Lourakis, "A
Consistently Fast and Globally Optimal Solution to the Perspective-n-Point Problem",
ECCV 2020; `SOLVEPNP_SQPNP` of OpenCV). Distances in a face are then measured on the face
turned to the front, so that a turned head does not pass for an expression.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.behaviour.landmarks import FaceLandmarks
from engine.behaviour.region import Floats

RIGID = {
    168: (0.0, -3.271, -5.236),
    6: (0.0, -2.473, -5.789),
    4: (0.0, 0.463, -7.587),
    33: (-4.446, -2.664, -3.173),
    263: (4.446, -2.664, -3.173),
    133: (-1.856, -2.585, -3.758),
    362: (1.856, -2.585, -3.758),
    129: (-1.786, 0.978, -4.850),
    358: (1.786, 0.978, -4.850),
    127: (-7.743, -2.365, 2.005),
    356: (7.743, -2.365, 2.005),
}
"""Points of the canonical face in centimetres: to the right of the picture, down, away."""
FOCAL_SIDES = 1.0
"""Assumed focal length in longer sides of the picture: a webcam's field of view of 53 degrees."""
OUTER_CORNERS = (33, 263)


@dataclass(frozen=True, eq=False)
class Head:
    """A head's direction, in degrees, 0 for straight into the camera, and its face."""

    yaw: float
    """Turned to the person's own left."""
    pitch: float
    """Raised."""
    roll: float
    """Tilted to the person's own left."""
    frontal: Floats
    """Shape (468, 3): the mesh turned to the front, in interocular distances, x and y to the
    right of the picture and down from between the outer eye corners."""
    irises: Floats
    """Shape (2, 2): the irises in the same way."""
    interocular: float
    """Distance between the outer eye corners, in pixels as if seen from straight ahead."""


def head_of(face: FaceLandmarks, height: int, width: int) -> Head | None:
    """The direction of a head; None where its points fit no head.

    Args:
        face: Its points.
        height: Of the picture, pixels.
        width: Of the picture, pixels.
    """
    rotation = _rotation(face.points, height, width)
    right, left = face.points[list(OUTER_CORNERS)]
    interocular = float(np.linalg.norm(left - right))
    if rotation is None or not interocular > 0:
        return None
    forward = -rotation[:, 2]
    origin = (right + left) / 2
    irises = np.concatenate([face.irises, _iris_depths(face)], axis=1)
    turned = (np.concatenate([face.points, irises]) - origin) @ rotation / interocular
    return Head(
        yaw=math.degrees(math.atan2(forward[0], -forward[2])),
        pitch=math.degrees(math.asin(np.clip(-forward[1], -1, 1))),
        roll=math.degrees(math.atan2(rotation[1, 0], rotation[0, 0])),
        frontal=turned[:-2].astype(np.float32),
        irises=turned[-2:, :2].astype(np.float32),
        interocular=interocular,
    )


def _rotation(points: Floats, height: int, width: int) -> NDArray[np.float64] | None:
    """From the directions of the head to those of the camera, shape (3, 3)."""
    focal = FOCAL_SIDES * max(height, width)
    camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    seen = points[list(RIGID), :2].astype(np.float64)
    model = np.array(list(RIGID.values()))
    try:
        found, vector, _ = cv2.solvePnP(model, seen, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    except cv2.error:  # Points that coincide, as of a face of less than a pixel.
        return None
    rotation = np.asarray(cv2.Rodrigues(vector)[0], np.float64)
    return rotation if found and np.isfinite(rotation).all() else None


def _iris_depths(face: FaceLandmarks) -> Floats:
    """Depth of each iris, shape (2, 1): that of the middle of the eye's corners."""
    corners = np.array([[33, 133], [263, 362]])
    return np.asarray(face.points[corners, 2].mean(axis=1, keepdims=True), np.float32)
