"""Verdicts and sentences follow from the figures, whichever way round they are asked."""

from __future__ import annotations

import pytest

from training.ablation.answers import FEW, QUESTIONS, Answer, answers, basis, verdict
from training.ablation.comparison import FIGURES, Compared, Row
from training.ablation.variants import VARIANTS
from training.evaluation.bootstrap import Difference

UNDECIDED = "no difference that this data can show"


def row(name: str, value: float, p_value: float, by_seed: tuple[float, ...] = ()) -> Row:
    """A variant whose weighted F1 differs from that of `full`."""
    found = Compared(Difference(value, value - 0.02, value + 0.01, p_value), p_value, by_seed)
    return Row(name, dict.fromkeys(FIGURES, 0.5), None, {"weighted_f1": found}, {})


def answer(rows: list[Row], subject: str, seeds: int = 1) -> Answer:
    """The one about a subject."""
    found = [a for given in answers(rows, {}, seeds, 114).values() for a in given]
    (one,) = [a for a in found if a.subject == subject]
    return one


def test_every_question_is_of_a_variant() -> None:
    """All variants of the paper's checks are asked for."""
    asked = {check.variant for checks in QUESTIONS.values() for check in checks}
    assert asked <= set(VARIANTS)
    assert {"single-stage", "flat-prompt", "structured-prompt", "without-behaviour"} <= asked


@pytest.mark.parametrize(
    ("worth", "p_value", "expected"),
    [
        (0.1, 0.001, "helps"),
        (-0.1, 0.049, "hurts"),
        (0.1, 0.05, UNDECIDED),
        (-0.5, 0.9, UNDECIDED),
        (0.0, 0.001, UNDECIDED),
    ],
)
def test_a_verdict_needs_a_significant_difference(
    worth: float, p_value: float, expected: str
) -> None:
    """However large it is."""
    assert verdict(worth, p_value) == expected


def test_what_is_missed_helps() -> None:
    """A variant without it is worse; the sentence gives the gain, the right way round."""
    found = answer([row("without-posture", -0.03, 0.01)], "Posture")
    assert found.verdict == "helps"
    assert found.sentence == (
        "Posture: helps (weighted F1 +3.0 points with it, 95 % interval +2.0 to +5.0, "
        "p = 0.010, 0.010 corrected for 1 comparison)."
    )
    assert answer([row("without-posture", 0.03, 0.01)], "Posture").verdict == "hurts"


def test_a_prompt_is_asked_for_either_way() -> None:
    """Added to a flat recipe or taken from a structured one, the answer is about the same."""
    subject = "The structured prompt"
    added = answer([row("structured-prompt", 0.03, 0.01)], subject)
    removed = answer([row("flat-prompt", 0.03, 0.01)], subject)
    assert (added.verdict, removed.verdict) == ("helps", "hurts")
    assert "+3.0 points with it, 95 % interval +1.0 to +4.0" in added.sentence
    assert "-3.0 points with it, 95 % interval -4.0 to -1.0" in removed.sentence


def test_the_correction_decides() -> None:
    """A p-value that only looks small among so many does not."""
    rows = [row(name, -0.03, 0.01) for name in ("without-posture", "context-1")]
    found = Compared(rows[0].compared["weighted_f1"].difference, 0.08, ())
    rows[0] = Row("without-posture", {}, None, {"weighted_f1": found}, {})
    one = answer(rows, "Posture")
    assert one.verdict == UNDECIDED
    assert "p = 0.010, 0.080 corrected for 2 comparisons" in one.sentence


def test_seeds_are_counted() -> None:
    """How many trainings agree is a figure of its own."""
    one = answer([row("single-stage", -0.02, 0.5, (-0.05, -0.03, 0.02))], QUESTIONS[
        "Do two stages help over one?"
    ][0].subject, seeds=3)  # fmt: skip
    assert one.sentence.endswith("It is better with it in 2 of 3 seeds.")


def test_what_was_not_trained_is_not_answered() -> None:
    """The reason stands there, once for a subject."""
    given = answers([row("context-1", 0, 1)], {"single-stage": "the recipe has one stage"}, 1, 114)
    found = {a.subject: a for own in given.values() for a in own}
    assert {a.verdict for a in found.values()} == {"not asked"}
    assert "not asked, the recipe has one stage." in found[
        "A stage of its own for behaviour"
    ].sentence  # fmt: skip
    assert "without-posture was not among the variants" in found["Posture"].sentence
    assert [len(own) for own in given.values()] == [4, 1, 1]


@pytest.mark.parametrize("dialogues", [FEW - 1, FEW])
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_basis_is_told(dialogues: int, seeds: int) -> None:
    """Turns, dialogues, seeds, what cannot be seen, and when the method itself is doubtful."""
    text = basis(dialogues, 1200, seeds, [row("context-1", 0.1, 0.3)])
    assert f"1,200 turns of {dialogues} dialogues" in text
    assert "reach about 1.5 points to either side" in text
    assert ("one seed says nothing" in text) == (seeds == 1)
    assert ("cannot decide" in text) == (dialogues < FEW)


def test_few_dialogues_answer_nothing() -> None:
    """Two dialogues, resampled, would be sure of whatever they happen to show."""
    given = answers([row("without-behaviour", -0.1, 0.001)], {}, 1, 2)
    (one,) = [a for found in given.values() for a in found if a.variant == "without-behaviour"]
    assert one.verdict == "too few dialogues"
    assert "helps" not in one.sentence
