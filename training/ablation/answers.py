"""The checks that the paper leaves open, answered in words from the table.

A verdict rests on weighted F1 and on the p-value that is corrected for all variants of the
table: below 0.05 something helps or hurts, otherwise the data cannot tell, which is not
the same as no difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from training.ablation.comparison import MAIN, Compared, Row
from training.ablation.units import points

SIGNIFICANT = 0.05
TOO_FEW = "too few dialogues"
FEW = 30
"""Dialogues below which a bootstrap over them rejects too often (Cameron, Gelbach and
Miller, 2008, who look at 5 to 30 clusters)."""


@dataclass(frozen=True)
class Check:
    """One thing whose worth is asked for."""

    subject: str
    """What it is, for a sentence that it begins."""
    variant: str
    """That shows it, beside `full`."""
    added: bool
    """Whether the variant has it and `full` has not, or the other way round."""


QUESTIONS: Mapping[str, tuple[Check, ...]] = {
    "Does each described behaviour help?": (
        Check("Facial expression", "without-facial-expression", added=False),
        Check("Body language", "without-body-language", added=False),
        Check("Posture", "without-posture", added=False),
        Check("Behaviour as a whole", "without-behaviour", added=False),
    ),
    "Do two stages help over one?": (
        Check("A stage of its own for behaviour", "single-stage", added=False),
    ),
    "Do structured prompts help over flat ones?": (
        Check("The structured prompt", "structured-prompt", added=True),
        Check("The structured prompt", "flat-prompt", added=False),
    ),
}
"""The paper's open checks, and the variants that answer them."""


@dataclass(frozen=True)
class Answer:
    """What the table says of one subject."""

    subject: str
    variant: str
    verdict: str
    """`helps`, `hurts`, `no difference that this data can show`, `too few dialogues`, or
    `not asked`."""
    sentence: str


def answers(
    rows: Sequence[Row], skipped: Mapping[str, str], seeds: int, dialogues: int
) -> dict[str, list[Answer]]:
    """Answer every question.

    Args:
        rows: The table.
        skipped: Reasons of the variants that were left out.
        seeds: Trainings of each variant.
        dialogues: That they were compared on; fewer than `FEW` answer nothing.
    """
    compared = {row.name: row.compared[MAIN] for row in rows if row.compared}
    found = {}
    for question, checks in QUESTIONS.items():
        given = [
            _answer(check, compared[check.variant], len(compared), seeds, dialogues)
            for check in checks
            if check.variant in compared
        ]
        # Of two ways to ask for the same subject, the one that was trained answers.
        settled = {answer.subject for answer in given}
        left = {check.subject: check for check in checks if check.subject not in settled}
        found[question] = given + [_not_asked(check, skipped) for check in left.values()]
    return found


def basis(dialogues: int, turns: int, seeds: int, rows: Sequence[Row]) -> str:
    """On how much all of it rests, and what cannot be seen on so much."""
    differences = [row.compared[MAIN].difference for row in rows if row.compared]
    half = median((one.high - one.low) / 2 for one in differences)
    trainings = "one training" if seeds == 1 else f"{seeds} trainings"
    text = [
        f"All of this rests on {turns:,} turns of {dialogues:,} dialogues of dev and on "
        f"{trainings} of each variant.",
        f"The 95 % intervals of the differences reach about {100 * half:.1f} points to either "
        "side: what is much smaller cannot be seen on so much data, so where no difference is "
        "shown there may still be one.",
        "Intervals and p-values speak of other dialogues, not of other trainings;",
        "one seed says nothing of how another would come out."
        if seeds == 1
        else "how far those differ is in the deviation over seeds.",
    ]
    if dialogues < FEW:
        text.append(
            f"With fewer than {FEW} dialogues the bootstrap is also too sure of itself: so "
            "little data cannot decide these questions."
        )
    return " ".join(text)


def verdict(worth: float, corrected_p: float) -> str:
    """In a word, for a difference that something makes."""
    if corrected_p >= SIGNIFICANT or worth == 0:
        return "no difference that this data can show"
    return "helps" if worth > 0 else "hurts"


def _answer(check: Check, compared: Compared, family: int, seeds: int, dialogues: int) -> Answer:
    sign = 1 if check.added else -1
    difference = compared.difference
    worth = sign * difference.value
    low, high = sorted((sign * difference.low, sign * difference.high))
    if dialogues < FEW:
        sentence = f"{check.subject}: too few dialogues ({dialogues}) to tell; at least {FEW}."
        return Answer(check.subject, check.variant, TOO_FEW, sentence)
    found = verdict(worth, compared.corrected_p)
    of = "comparison" if family == 1 else "comparisons"
    sentence = (
        f"{check.subject}: {found} (weighted F1 {points(worth)} points with it, 95 % interval "
        f"{points(low)} to {points(high)}, p = {difference.p_value:.3f}, "
        f"{compared.corrected_p:.3f} corrected for {family} {of})."
    )
    if seeds > 1:
        same = sum(sign * value > 0 for value in compared.by_seed)
        sentence += f" It is better with it in {same} of {seeds} seeds."
    return Answer(check.subject, check.variant, found, sentence)


def _not_asked(check: Check, skipped: Mapping[str, str]) -> Answer:
    why = skipped.get(check.variant, f"{check.variant} was not among the variants")
    return Answer(check.subject, check.variant, "not asked", f"{check.subject}: not asked, {why}.")
