"""Measured prosody in words: how an utterance is spoken, compared with its speaker's past.

Every threshold is a quantile over the 9,988 measured training utterances of MELD: what is
remarked on is what a fifth of them go beyond, `much` what a twentieth do. Loudness, pitch
and clearness are only ever compared with the same speaker: they depend on microphone, room
and person. No word here names an emotion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.prosody.measures import MEASURES

VERSION = 1
"""Changes with the rules."""
KNOWN_AFTER = 2
"""Utterances of a speaker before this one, from which on there is something to compare with."""
ORDINARY = "Nothing in the voice stands out."


@dataclass(frozen=True)
class Rule:
    """Two thresholds of one measure and what is said beyond them."""

    measure: str
    low: float
    high: float
    below: str
    above: str
    relative: bool = False
    """Whether the difference from the speaker's mean so far counts; of the pitch in semitones."""
    very_low: float = -math.inf
    very_high: float = math.inf
    """Beyond these `much` is said too."""


RULES = (
    Rule("avg_intensity", -2.0, 2.5, "quieter than before", "louder than before", True, -5.5, 5.3),
    Rule("avg_pitch", -3.9, 3.6, "lower than before", "higher than before", True, -8.0, 7.9),
    Rule("pitch_std", 34.6, 92.8, "with hardly any melody", "with a lively melody"),
    Rule("articulation_rate", 2.84, 4.68, "spoken slowly", "spoken fast"),
    Rule("intensity_variation", 6.05, 10.2, "even in loudness", "with bursts of loudness"),
    Rule("mean_hnr", -2.8, 2.7, "hoarser than before", "clearer than before", True, -6.0, 5.1),
)
"""In the order in which they are said."""


def describe_voice(measured: Sequence[float], past: Sequence[Sequence[float]] = ()) -> str:
    """Say how an utterance is spoken, as in `Louder than before, spoken fast.`, in one sentence.

    Args:
        measured: (P,) in the order of `MEASURES`; NaN is passed over.
        past: Those of the speaker's utterances before.

    Returns:
        The sentence; empty where nothing but the duration was measured.
    """
    own = np.asarray(measured, np.float64)
    if np.isnan(own[1:]).all():
        return ""
    usual = _usual(np.asarray(past, np.float64)) if len(past) >= KNOWN_AFTER else None
    said = [phrase for rule in RULES if (phrase := _phrase(rule, own, usual))]
    if not said:
        return ORDINARY
    text = ", ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def _usual(past: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P,) means of (n, P), NaN where nothing is known."""
    known = ~np.isnan(past)
    total = np.where(known, past, 0).sum(0)
    count = known.sum(0)
    unknown = np.full(past.shape[1], np.nan)
    means: NDArray[np.float64] = np.divide(total, count, out=unknown, where=count > 0)
    return means


def _phrase(rule: Rule, own: NDArray[np.float64], usual: NDArray[np.float64] | None) -> str:
    place = MEASURES.index(rule.measure)
    value = float(own[place])
    if rule.relative:
        before = math.nan if usual is None else float(usual[place])
        if rule.measure == "avg_pitch":
            value = 12 * math.log2(value / before) if value > 0 and before > 0 else math.nan
        else:
            value -= before
    if value <= rule.low:
        return f"much {rule.below}" if value <= rule.very_low else rule.below
    if value >= rule.high:
        return f"much {rule.above}" if value >= rule.very_high else rule.above
    return ""
