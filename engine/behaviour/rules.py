"""The table from measures to words. `docs/behaviour.md` explains every line.

Words say what a camera shows: no emotion, no guess at what anyone feels or wants. Right
and left are the person's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.behaviour.baseline import Normal

Part = Literal["facial_expression", "body_language", "posture"]
Sign = Literal[-1, 1]
Side = tuple[str, Sign]
"""A measure and the direction of its departure."""

FACE: Part = "facial_expression"
BODY: Part = "body_language"
POSTURE: Part = "posture"

VERSION = 5
"""Raised when the same measures give other words for a reason that is not in the tables."""
BLINK_SECONDS = 0.4
"""A blink lasts 0.1 to 0.4 s (Schiffman, "Sensation and Perception", 2001): longer is closed."""


@dataclass(frozen=True)
class Rule:
    """What is said of a departure in one direction."""

    measure: str
    """Name of a series."""
    direction: Sign
    """1 for more than usual, -1 for less."""
    action: str
    """Said where it is seen for a part of the utterance: "raises the brows"."""
    state: str
    """Said where it is seen for most of the utterance: "brows raised"."""
    part: Part = FACE
    """What an action belongs to."""
    state_part: Part = FACE
    """What a state belongs to."""
    strong: tuple[str, str] = ("", "")
    """Action and state where the departure is large; by default with an adverb."""
    graded: bool = True
    """Whether adverbs say how large the departure is."""
    unless: tuple[Side, ...] = ()
    """Departures that explain this one: frames that show them do not count. Where a side has
    an absolute rule, that is what is meant."""
    normal: Normal | None = None
    """An absolute rule: the same centre and threshold for everybody."""
    least_seconds: float = 0.0
    """Shortest stretch that is spoken of."""


def _head(measure: str, direction: Sign, action: str, state: str) -> Rule:
    """Movements of the head are body language, a way to hold it is posture."""
    return Rule(measure, direction, action, state, BODY, POSTURE)


def _hand(side: str) -> tuple[Rule, Rule]:
    near = Normal(centre=2.0, threshold=1.0)  # sides of the face's box from its middle
    raised = Normal(centre=-1.0, threshold=1.0)  # shoulder widths above the shoulders
    return (
        Rule(
            f"{side}_hand_face",
            -1,
            f"brings the {side} hand to the face",
            f"{side} hand at the face",
            BODY,
            BODY,
            normal=near,
            graded=False,
        ),
        Rule(
            f"{side}_hand_height",
            1,
            f"raises the {side} hand above the shoulder",
            f"{side} hand held above the shoulder",
            BODY,
            BODY,
            unless=((f"{side}_hand_face", -1),),
            normal=raised,
            graded=False,
        ),
    )


CLOSED: Side = ("eye_opening", -1)
EYES_CLOSED = Rule(
    *CLOSED,
    "closes the eyes",
    "eyes closed",
    normal=Normal(centre=0.30, threshold=0.18),
    graded=False,
    least_seconds=BLINK_SECONDS,
)

RULES = (
    Rule("brow_height", 1, "raises the brows", "brows raised"),
    Rule("brow_height", -1, "lowers the brows", "brows lowered"),
    Rule("brow_slant", 1, "raises the inner ends of the brows", "inner ends of the brows raised"),
    Rule("brow_gap", -1, "draws the brows together", "brows drawn together"),
    EYES_CLOSED,
    Rule("eye_opening", 1, "widens the eyes", "eyes widened"),
    Rule(
        "eye_opening",
        -1,
        "narrows the eyes",
        "eyes narrowed",
        unless=(CLOSED, ("gaze_y", -1)),
        least_seconds=BLINK_SECONDS,
    ),
    Rule("corner_lift", 1, "lifts the mouth corners", "mouth corners lifted"),
    Rule("corner_lift", -1, "lowers the mouth corners", "mouth corners lowered"),
    Rule("corner_slant", 1, "pulls the mouth up on the left", "mouth pulled up on the left"),
    Rule("corner_slant", -1, "pulls the mouth up on the right", "mouth pulled up on the right"),
    Rule(
        "mouth_width",
        1,
        "stretches the mouth",
        "mouth stretched",
        unless=(("corner_lift", 1),),
    ),
    Rule("mouth_width", -1, "narrows the mouth", "mouth narrowed"),
    Rule(
        "lip_gap",
        1,
        "opens the mouth",
        "mouth open",
        strong=("opens the mouth wide", "mouth wide open"),
    ),
    Rule(
        "lip_thickness",
        -1,
        "presses the lips together",
        "lips pressed together",
        unless=(("lip_gap", 1), ("corner_lift", 1)),
    ),
    Rule("jaw_drop", 1, "lowers the jaw", "jaw lowered", unless=(("lip_gap", 1),)),
    Rule("gaze_x", 1, "looks to the left", "eyes turned to the left", unless=(CLOSED,)),
    Rule("gaze_x", -1, "looks to the right", "eyes turned to the right", unless=(CLOSED,)),
    Rule("gaze_y", 1, "looks up", "eyes turned up", unless=(CLOSED,)),
    Rule("gaze_y", -1, "looks down", "eyes turned down", unless=(CLOSED,)),
    _head("head_yaw", 1, "turns the head to the left", "head turned to the left"),
    _head("head_yaw", -1, "turns the head to the right", "head turned to the right"),
    _head("head_pitch", 1, "raises the head", "head raised"),
    _head("head_pitch", -1, "lowers the head", "head lowered"),
    _head("head_roll", 1, "tilts the head to the left", "head tilted to the left"),
    _head("head_roll", -1, "tilts the head to the right", "head tilted to the right"),
    *_hand("left"),
    *_hand("right"),
    Rule(
        "hands_out",
        1,
        "holds both hands out",
        "both hands held out",
        BODY,
        BODY,
        normal=Normal(centre=0.5, threshold=0.4),  # shoulder widths from the middle of the body
        graded=False,
    ),
    Rule("motion_energy", 1, "moves much", "moving much", BODY, BODY, graded=False),
    Rule("head_size", 1, "leans forward", "leaning forward", POSTURE, POSTURE),
    Rule("head_size", -1, "leans back", "leaning back", POSTURE, POSTURE),
    Rule(
        "neck_length",
        -1,
        "raises the shoulders",
        "shoulders raised",
        POSTURE,
        POSTURE,
        unless=(("head_size", 1), ("head_pitch", -1)),
    ),
    Rule(
        "shoulder_slope", 1, "lowers the left shoulder", "left shoulder lowered", POSTURE, POSTURE
    ),
    Rule(
        "shoulder_slope",
        -1,
        "lowers the right shoulder",
        "right shoulder lowered",
        POSTURE,
        POSTURE,
    ),
    Rule(
        "shoulder_turn",
        1,
        "turns the body to the left",
        "body turned to the left",
        POSTURE,
        POSTURE,
    ),
    Rule(
        "shoulder_turn",
        -1,
        "turns the body to the right",
        "body turned to the right",
        POSTURE,
        POSTURE,
    ),
    Rule(
        "arms_apart",
        -1,
        "crosses the arms",
        "arms crossed",
        POSTURE,
        POSTURE,
        normal=Normal(centre=1.0, threshold=0.5),  # shoulder widths from wrist to other elbow
        graded=False,
    ),
)
"""Every rule, in the order in which they are said."""
