"""From findings to three sentences."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from engine.behaviour.findings import Finding
from engine.behaviour.measures import Series
from engine.behaviour.rules import BODY, FACE, POSTURE, Part

MAX_FINDINGS = 4
"""Findings said per part: the strongest ones."""
STILL_DEGREES = 2.0
"""Standard deviation of the head's angles below which a head is still."""
UPRIGHT = {"head_yaw": ("turned", 15.0), "head_roll": ("tilted", 10.0)}
"""Median degrees below which a head faces the camera and is upright, and what it is above."""
LEVEL_DEGREES = 5.0
"""Median slope below which shoulders are level."""


def sentence(
    part: Part,
    findings: Sequence[Finding],
    series: Mapping[str, Series],
    *,
    still: bool = False,
    timed: bool = True,
) -> str:
    """What is said of one part of the behaviour; empty where nothing of it was seen.

    Args:
        part: Which one.
        findings: Of the utterance; those of other parts are ignored.
        series: What was measured, which tells what was to be seen at all.
        still: Whether the face does nothing: `engine.behaviour.findings.is_still`.
        timed: Whether actions have their times; without, they come in the order of time.
    """
    chosen = spoken(part, findings)
    actions = [finding for finding in chosen if not finding.held]
    start = min((measured.times[0] for measured in series.values() if measured.times), default=0.0)
    phrases = _actions(actions, start) if timed else _in_order(actions)
    states = [finding.words for finding in chosen if finding.held]
    if part == FACE:
        states += ["keeps a still face"] if still and not chosen else []
    elif not chosen or part == POSTURE:
        states += _QUIET[part](chosen, series)
    phrases += [", ".join(states)] if states else []
    text = "; ".join(phrases)
    return text and f"{text[0].upper()}{text[1:]}."


def spoken(part: Part, findings: Iterable[Finding]) -> list[Finding]:
    """The strongest findings of a part, in their order."""
    own = [finding for finding in findings if finding.part == part]
    strongest = sorted(own, key=lambda finding: finding.strength, reverse=True)[:MAX_FINDINGS]
    return [finding for finding in own if finding in strongest]


def _actions(findings: Sequence[Finding], origin: float) -> list[str]:
    """Actions with their times in seconds since the first frame; those at one time together."""
    together: dict[str, list[str]] = {}
    for finding in sorted(findings, key=lambda finding: finding.start):
        start, end = (f"{time - origin:.1f} s" for time in (finding.start, finding.end))
        when = f"at {start}" if start == end else f"from {start} to {end}"
        together.setdefault(when, []).append(finding.words)
    return [f"{_listed(words)} {when}" for when, words in together.items()]


def _in_order(findings: Sequence[Finding]) -> list[str]:
    """Actions as one phrase, without times."""
    words = [finding.words for finding in sorted(findings, key=lambda finding: finding.start)]
    return [_listed(words)] if words else []


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _quiet_body(_: Sequence[Finding], series: Mapping[str, Series]) -> list[str]:
    angles = [series[name].values for name in ("head_yaw", "head_pitch") if name in series]
    if not angles or len(angles[0]) < 2:
        return []
    still = all(statistics.pstdev(values) < STILL_DEGREES for values in angles)
    return ["keeps the head still" if still else "moves the head a little"]


def _quiet_posture(said: Sequence[Finding], series: Mapping[str, Series]) -> list[str]:
    """How head and shoulders are held towards the camera, unless it was said already."""
    words = []
    about = " ".join(finding.words for finding in said)
    if "head" not in about and "head_yaw" in series:
        turned = [
            f"head somewhat {verb} to the {'left' if middle > 0 else 'right'}"
            for name, (verb, limit) in UPRIGHT.items()
            if name in series and abs(middle := statistics.median(series[name].values)) >= limit
        ]
        words += turned or ["head upright, facing the camera"]
    slope = series.get("shoulder_slope")
    if "shoulder" not in about and slope and abs(statistics.median(slope.values)) < LEVEL_DEGREES:
        words.append("shoulders level")
    return words


_QUIET = {BODY: _quiet_body, POSTURE: _quiet_posture}
"""What is said of the body where nothing departs."""
