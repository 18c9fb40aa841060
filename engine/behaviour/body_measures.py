"""Numbers of a body in one frame; only of points that are visible.

Lengths are in shoulder widths, or in sides of the face's box, so that they do not change
with the distance of the camera or the cut of a film.
"""

from __future__ import annotations

import math

from engine.behaviour.head import OUTER_CORNERS, Head
from engine.behaviour.landmarks import FaceLandmarks
from engine.behaviour.pose import Point, PoseLandmarks
from engine.faces import Box

SHOULDERS = (Point.RIGHT_SHOULDER, Point.LEFT_SHOULDER)
HANDS = {
    "left": (Point.LEFT_WRIST, Point.LEFT_INDEX),
    "right": (Point.RIGHT_WRIST, Point.RIGHT_INDEX),
}
ELBOWS = {"left": Point.RIGHT_ELBOW, "right": Point.LEFT_ELBOW}
"""The elbow that a wrist lies at when the arms are crossed."""
MAX_TURN = 45.0
"""Degrees of the shoulders beyond which their width in the picture says little of their size."""


def body_measures(
    pose: PoseLandmarks, face: FaceLandmarks, head: Head, box: Box
) -> dict[str, float]:
    """The numbers that can be told, by the names in `engine.behaviour.measures.MEASURES`.

    Args:
        pose: The body.
        face: The same person's face.
        head: Its direction.
        box: Of the face.
    """
    measures = {
        f"{side}_hand_face": distance
        for side in HANDS
        if (distance := _hand_to_face(pose, side, box)) is not None
    }
    if not pose.sees(*SHOULDERS):
        return measures
    right, left = pose.points[list(SHOULDERS)].astype(float)
    span = math.dist(right, left)
    across, _, away = (
        pose.metres[Point.LEFT_SHOULDER] - pose.metres[Point.RIGHT_SHOULDER]
    ).tolist()
    turn = math.degrees(math.atan2(away, across))
    if span < 1 or abs(turn) > 90:
        return measures
    slope = math.degrees(math.atan2(left[1] - right[1], abs(left[0] - right[0])))
    measures |= {"shoulder_turn": turn, "shoulder_slope": slope}
    if abs(turn) < MAX_TURN:
        eyes = face.points[list(OUTER_CORNERS), 1].mean()
        measures["head_size"] = head.interocular / span
        measures["neck_length"] = float((right[1] + left[1]) / 2 - eyes) / span
        measures |= _arms(pose, span)
    return measures


def _hand_to_face(pose: PoseLandmarks, side: str, box: Box) -> float | None:
    """From the nearest visible point of a hand to the middle of the face, in sides of its box."""
    seen = [point for point in HANDS[side] if pose.sees(point)]
    distances = [math.dist(pose.points[point].tolist(), box.centre) for point in seen]
    return min(distances) / max(box.side, 1.0) if distances else None


def _arms(pose: PoseLandmarks, span: float) -> dict[str, float]:
    """Height and place of the wrists, how far out both are, and from the other arm's elbow."""
    middle, shoulders = pose.points[list(SHOULDERS)].mean(axis=0).tolist()
    measures = {}
    reaches = []
    aside = []
    for side, (wrist, _) in HANDS.items():
        if not pose.sees(wrist):
            continue
        x, y = pose.points[wrist].tolist()
        measures[f"{side}_hand_height"] = (shoulders - y) / span
        measures[f"{side}_hand_x"] = (x - middle) / span
        aside.append((x - middle if side == "left" else middle - x) / span)
        if pose.sees(ELBOWS[side]):
            reaches.append(math.dist((x, y), pose.points[ELBOWS[side]].tolist()) / span)
    if len(aside) == len(HANDS):
        measures["hands_out"] = min(aside)
    if len(reaches) == len(HANDS):
        measures["arms_apart"] = max(reaches)
    return measures
