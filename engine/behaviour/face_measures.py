"""Numbers of a face in one frame, after the action units of the Facial Action Coding System.

An action unit (AU) of FACS (Ekman, Friesen and Hager, 2002) is a visible movement that a
muscle makes. Each number here is a distance between points that such movements displace,
as in Tian, Kanade and Cohn ("Recognizing Action Units for Facial Expression Analysis",
IEEE TPAMI 23(2), 2001), on the face turned to the front. Distances are in interocular
distances (between the outer eye corners, as in the 300-W benchmark, Sagonas et al., 2013).
"""

from __future__ import annotations

import math

import numpy as np

from engine.behaviour.head import Head
from engine.behaviour.landmarks import EYE_CORNERS
from engine.behaviour.region import Floats

INNER_BROWS, OUTER_BROWS = ((107, 55), (336, 285)), ((70, 63), (300, 293))
"""Points of the brows, right and left."""
MOUTH_CORNERS = (61, 291)
UPPER_LIP, UPPER_INNER, LOWER_INNER, LOWER_LIP = 0, 13, 14, 17
"""Middle of the lips, from above."""
NOSE_BASE, CHIN = 2, 152
EYE_RATIO_POINTS = ((33, 160, 158, 133, 153, 144), (263, 387, 385, 362, 380, 373))
"""p1 to p6 of the eye aspect ratio, right eye and left."""
MAX_YAW = 40.0
"""Degrees beyond which the far half of a face is hidden: then only the head is told."""
MAX_SLANT_YAW = 15.0
"""Degrees beyond which the perspective of the far half passes for a mouth that is pulled up."""


def face_measures(head: Head) -> dict[str, float]:
    """The numbers of one face by the names in `engine.behaviour.measures.MEASURES`."""
    angles = {"head_yaw": head.yaw, "head_pitch": head.pitch, "head_roll": head.roll}
    if abs(head.yaw) > MAX_YAW:
        return angles
    face = head.frontal
    heights = -face[:, 1]  # upwards, from the line between the outer eye corners
    inner = float(heights[list(np.ravel(INNER_BROWS))].mean())
    outer = float(heights[list(np.ravel(OUTER_BROWS))].mean())
    right_corner, left_corner = heights[list(MOUTH_CORNERS)].tolist()
    lips = float(heights[[UPPER_INNER, LOWER_INNER]].mean())
    gaze_x, gaze_y = gaze(head)
    if abs(head.yaw) <= MAX_SLANT_YAW:
        angles["corner_slant"] = left_corner - right_corner
    return angles | {
        "brow_height": (inner + outer) / 2,
        "brow_slant": inner - outer,
        "brow_gap": _distance(face, 55, 285),
        "eye_opening": (eye_aspect_ratio(face, 0) + eye_aspect_ratio(face, 1)) / 2,
        "corner_lift": (right_corner + left_corner) / 2 - lips,
        "mouth_width": _distance(face, *MOUTH_CORNERS),
        "lip_gap": _distance(face, UPPER_INNER, LOWER_INNER),
        "lip_thickness": _distance(face, UPPER_LIP, UPPER_INNER)
        + _distance(face, LOWER_INNER, LOWER_LIP),
        "jaw_drop": float(heights[NOSE_BASE] - heights[CHIN]),
        "gaze_x": gaze_x,
        "gaze_y": gaze_y,
    }


def eye_aspect_ratio(face: Floats, eye: int) -> float:
    """How far an eye is open: (|p2 - p6| + |p3 - p5|) / (2 |p1 - p4|).

    Soukupova and Cech, "Real-Time Eye Blink Detection using Facial Landmarks", 21st
    Computer Vision Winter Workshop, 2016, equation 1.

    Args:
        face: Shape (468, 3).
        eye: 0 for the right one, 1 for the left one.
    """
    p1, p2, p3, p4, p5, p6 = EYE_RATIO_POINTS[eye]
    width = max(_distance(face, p1, p4), 1e-6)
    return (_distance(face, p2, p6) + _distance(face, p3, p5)) / (2 * width)


def gaze(head: Head) -> tuple[float, float]:
    """Where the irises are between the eye corners: to the person's own left, and up.

    In widths of an eye from its middle, mean of both eyes: the normalised pupil centre to
    eye corner vector of appearance-free gaze estimation (Sesma, Villanueva and Cabeza,
    "Evaluation of Pupil Center-Eye Corner Vector for Gaze Estimation Using a Web Cam",
    ETRA 2012), in the head's own directions.
    """
    offsets = []
    for eye, (outer, inner) in enumerate(EYE_CORNERS):
        middle = (head.frontal[outer, :2] + head.frontal[inner, :2]) / 2
        width = max(_distance(head.frontal, outer, inner), 1e-6)
        offsets.append((head.irises[eye] - middle) / width)
    x, y = np.mean(offsets, axis=0).tolist()
    return x, -y


def _distance(face: Floats, one: int, other: int) -> float:
    """Between two points of the frontal face, in the plane."""
    (x0, y0), (x1, y1) = face[one, :2].tolist(), face[other, :2].tolist()
    return math.hypot(x1 - x0, y1 - y0)
