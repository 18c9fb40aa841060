"""From measures and a baseline to findings: what departs, when, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.behaviour.baseline import Baseline, Normal
from engine.behaviour.measures import MEASURES, Series
from engine.behaviour.movement import SWING_DEGREES, hand_keeps_moving, swings
from engine.behaviour.rules import BODY, CLOSED, FACE, RULES, Part, Rule, Side

SLIGHT, STRONG = 1.5, 2.5
"""Departures in thresholds up to which a movement is slight, and from which it is strong."""
HELD_SHARE = 0.6
"""Share of the frames from which something is held rather than done."""
MIN_FRAMES = 2
"""Frames in a row that a departure takes: one alone may be a slip of the network."""
HAND_STEP = 0.3
"""Shoulder widths between looks from which a hand moves: twice what holding something makes."""
STILL_FRAMES = 5
"""Frames that it takes to say that a face is still."""

Departures = dict[float, float]
"""Media seconds of a frame: how far it departs in one direction, in thresholds."""


@dataclass(frozen=True)
class Finding:
    """One thing that is seen in an utterance."""

    part: Part
    """What it belongs to."""
    words: str
    """Said of it, without a time."""
    held: bool
    """Whether it lasts for most of the utterance."""
    start: float
    """Media seconds."""
    end: float
    """Media seconds."""
    strength: float
    """Largest departure in thresholds, at least 1."""


def find(series: Mapping[str, Series], baseline: Baseline) -> list[Finding]:
    """Everything that is worth saying, in the order of `RULES`, then movements.

    Args:
        series: By the name of the measure.
        baseline: Of the person, from earlier utterances.
    """
    relative: dict[Side, Departures] = {}
    for name in series.keys() & MEASURES.keys():
        if normal := baseline.normal(name):
            relative[name, 1] = _departures(series[name], normal, 1)
            relative[name, -1] = _departures(series[name], normal, -1)
    absolute = {
        (rule.measure, rule.direction): _departures(
            series[rule.measure], rule.normal, rule.direction
        )
        for rule in RULES
        if rule.normal and rule.measure in series
    }
    found = []
    for rule in RULES:
        own = (absolute if rule.normal else relative).get((rule.measure, rule.direction), {})
        explained = {
            time
            for side in rule.unless
            for time, departure in (relative | absolute).get(side, {}).items()
            if departure >= 1
        }
        if finding := _finding(rule, own | dict.fromkeys(own.keys() & explained, 0.0)):
            found.append(finding)
    return found + _movements(series)


def is_still(series: Mapping[str, Series], baseline: Baseline) -> bool:
    """Whether a face does nothing: no single frame departs, but for blinks, and no lip moves.

    Args:
        series: By the name of the measure.
        baseline: Of the person, from earlier utterances.
    """
    lips = series.get("lip_gap")
    if lips is None or len(lips.values) < STILL_FRAMES:
        return False
    if max(lips.values) - min(lips.values) >= MEASURES["lip_gap"].minimum:
        return False  # who speaks moves the lips, however little else
    sides = {(rule.measure, rule.direction) for rule in RULES if rule.part == FACE} - {CLOSED}
    return not any(
        departure >= 1
        for name, direction in sides
        if name in series and (normal := baseline.normal(name))
        for departure in _departures(series[name], normal, direction).values()
    )


def _departures(series: Series, normal: Normal, direction: int) -> Departures:
    return {
        time: direction * normal.departure(value)
        for time, value in zip(series.times, series.values, strict=True)
    }


def _finding(rule: Rule, shown: Mapping[float, float]) -> Finding | None:
    """The longest stretch of frames that follow a rule."""
    times = sorted(shown)
    stretch = _longest([shown[time] >= 1 for time in times])
    if len(stretch) < MIN_FRAMES:
        return None
    start, end = times[stretch[0]], times[stretch[-1]]
    if end - start < rule.least_seconds:
        return None
    strength = max(shown[times[index]] for index in stretch)
    held = sum(shown[times[index]] >= 1 for index in stretch) >= HELD_SHARE * len(times)
    part = rule.state_part if held else rule.part
    return Finding(part, _words(rule, strength, held), held, start, end, strength)


def _longest(flags: Sequence[bool]) -> range:
    """The longest run of True, the first of equals; single gaps count as part of a run."""
    best = range(0)
    start: int | None = None
    for index, flag in enumerate([*flags, False, False]):
        gap = not flag and not any(flags[index + 1 : index + 2])
        if flag and start is None:
            start = index
        elif gap and start is not None:
            best = max(best, range(start, index), key=len)
            start = None
    return best


def _words(rule: Rule, strength: float, held: bool) -> str:
    words, strong = (rule.state, rule.strong[1]) if held else (rule.action, rule.strong[0])
    if not rule.graded or SLIGHT <= strength < STRONG:
        return words
    if strength < SLIGHT:
        return f"{words} slightly"
    return strong or f"{words} strongly"


def _movements(series: Mapping[str, Series]) -> list[Finding]:
    """Nods, shakes and hands that move: what is seen only over several frames."""
    found = []
    for name, words in (("head_pitch", "nods"), ("head_yaw", "shakes the head")):
        if name in series and (when := swings(series[name], SWING_DEGREES[name])):
            found.append(Finding(BODY, words, False, *when, strength=STRONG))
    moving = []
    for side in ("left", "right"):
        x, height = series.get(f"{side}_hand_x"), series.get(f"{side}_hand_height")
        if x and height and hand_keeps_moving(x, height, HAND_STEP):
            moving.append((side, x))
    if moving:
        hands = "both hands" if len(moving) == 2 else f"the {moving[0][0]} hand"
        times = [time for _, x in moving for time in x.times]
        words = f"moving {hands}"
        found.append(Finding(BODY, words, True, min(times), max(times), STRONG))
    return found
