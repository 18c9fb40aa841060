"""Tests of the table of rules."""

from __future__ import annotations

import re
from pathlib import Path

from engine.behaviour.measures import MEASURES
from engine.behaviour.rules import RULES
from training.datasets.labels import IEMOCAP_LABELS, MELD_LABELS

DOCUMENT = Path(__file__).parents[3] / "docs" / "behaviour.md"
BODY_MEASURES = {
    *("head_yaw", "head_pitch", "head_roll"),
    *("shoulder_slope", "shoulder_turn", "head_size", "neck_length"),
}
FEELINGS = {
    *MELD_LABELS,
    *IEMOCAP_LABELS,
    *("happy", "smiles", "smile", "angry", "afraid", "surprised", "sad", "disgusted", "nervous"),
    *("calm", "relaxed", "tense", "worried", "interested", "bored", "feels", "seems", "wants"),
}


def test_the_words_name_no_emotion() -> None:
    """No label of a corpus and no guess at an inner state, in any sentence."""
    for rule in RULES:
        words = re.findall(r"\w+", " ".join([rule.action, rule.state, *rule.strong]).lower())
        assert not FEELINGS & set(words)


def test_every_rule_has_a_threshold() -> None:
    """Of a baseline, or its own; and what silences it is another rule."""
    sides = {(rule.measure, rule.direction) for rule in RULES}
    for rule in RULES:
        assert rule.normal is not None or rule.measure in MEASURES
        assert set(rule.unless) <= sides


def test_every_measure_with_a_baseline_is_spoken_of() -> None:
    """Nothing is measured for nothing."""
    assert set(MEASURES) <= {rule.measure for rule in RULES}


def test_no_two_rules_say_the_same() -> None:
    """Actions and states are told apart by their words."""
    assert len({rule.action for rule in RULES}) == len(RULES)
    assert len({rule.state for rule in RULES}) == len(RULES)


def test_the_document_has_the_numbers_of_the_code() -> None:
    """Each measure stands in docs/behaviour.md; those of a face with all their figures."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, measure in MEASURES.items():
        if name == "motion_energy":
            assert "motion energy" in text
            continue
        (row,) = (
            line for line in text.splitlines() if line.startswith("|") and f"`{name}`" in line
        )
        figures = [
            f"{measure.minimum:.3f}",
            f"{measure.neutral or 0:.3f} ± {measure.tolerance:.3f}",
        ]
        if name in BODY_MEASURES:
            figures = [f"{measure.minimum:g}"]
        assert [figure for figure in figures if figure not in row] == []
