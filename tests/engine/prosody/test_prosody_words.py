"""Tests of the words for measured prosody."""

from __future__ import annotations

import math

import pytest

from engine.prosody import MEASURES
from engine.prosody.words import KNOWN_AFTER, ORDINARY, RULES, describe_voice
from training.audit.lexicon import EMOTION_WORDS

USUAL = {
    "duration": 2.5,
    "avg_intensity": 63.0,
    "intensity_variation": 8.0,
    "avg_pitch": 200.0,
    "pitch_std": 60.0,
    "pitch_range": 280.0,
    "articulation_rate": 3.8,
    "mean_hnr": 6.5,
}


def measured(**changes: float) -> tuple[float, ...]:
    """An ordinary utterance with some other measures."""
    return tuple({**USUAL, **changes}[name] for name in MEASURES)


PAST = [measured()] * KNOWN_AFTER


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ORDINARY),
        ({"avg_intensity": 66.0}, "Louder than before."),
        ({"avg_intensity": 70.0}, "Much louder than before."),
        ({"avg_intensity": 60.0}, "Quieter than before."),
        ({"avg_pitch": 260.0}, "Higher than before."),
        ({"avg_pitch": 120.0}, "Much lower than before."),
        ({"mean_hnr": 2.0}, "Hoarser than before."),
        (
            {"avg_intensity": 66.0, "avg_pitch": 260.0, "articulation_rate": 5.0},
            "Louder than before, higher than before, spoken fast.",
        ),
    ],
)
def test_what_stands_out_is_said(changes: dict[str, float], words: str) -> None:
    """In the order of the rules, as one sentence."""
    assert describe_voice(measured(**changes), PAST) == words


def test_a_stranger_is_not_compared() -> None:
    """Loudness, pitch and clearness say nothing of a speaker who is not known yet."""
    odd = measured(avg_intensity=80, avg_pitch=400, mean_hnr=20, articulation_rate=2)
    assert describe_voice(odd) == "Spoken slowly."
    assert describe_voice(odd, PAST[:-1]) == "Spoken slowly."


def test_unknown_measures_are_passed_over() -> None:
    """Of the utterance or of all before it; with none at all there are no words."""
    nothing = measured(avg_pitch=math.nan, articulation_rate=math.nan)
    assert describe_voice(nothing, PAST) == ORDINARY
    assert describe_voice(measured(avg_pitch=300), [nothing] * 3) == ORDINARY
    assert describe_voice((1.0, *[math.nan] * (len(MEASURES) - 1)), PAST) == ""


def test_no_rule_names_an_emotion() -> None:
    """A description must not give the label away."""
    said = {word for rule in RULES for text in (rule.below, rule.above) for word in text.split()}
    assert said.isdisjoint(EMOTION_WORDS)
