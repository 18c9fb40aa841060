"""The checks that the paper leaves open, answered in words from the table.

A verdict rests on weighted F1 and on the p-value that is corrected for all variants of the
table: below 0.05 something helps or hurts, otherwise the data cannot tell, which is not
the same as no difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.ablation.comparison import MAIN, Compared, Row

SIGNIFICANT = 0.05


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
    """`helps`, `hurts`, `no difference that this data can show`, or `not asked`."""
    sentence: str


def answers(rows: Sequence[Row], skipped: Mapping[str, str], seeds: int) -> dict[str, list[Answer]]:
    """Answer every question.

    Args:
        rows: The table.
        skipped: Reasons of the variants that were left out.
        seeds: Trainings of each variant.
    """
    compared = {row.name: row.compared[MAIN] for row in rows if row.compared}
    found = {}
    for question, checks in QUESTIONS.items():
        given = [
            _answer(check, compared[check.variant], len(compared), seeds)
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
    widths = [
        row.compared[MAIN].difference.high - row.compared[MAIN].difference.low
        for row in rows
        if row.compared
    ]
    trainings = "one training" if seeds == 1 else f"{seeds} trainings"
    text = (
        f"All of this rests on {turns:,} turns of {dialogues:,} dialogues of dev and on "
        f"{trainings} of each variant. The 95 % intervals of the differences are "
        f"{100 * min(widths):.1f} to {100 * max(widths):.1f} points wide: a difference much "
        "smaller than half of that cannot be seen on so little, so small data cannot decide "
        "these questions. Intervals and p-values speak of other dialogues, "
    )
    if seeds == 1:
        return text + "not of other trainings: one seed says nothing of how another would come out."
    return text + "not of other trainings; how far those differ is in the deviation over seeds."


def verdict(worth: float, corrected_p: float) -> str:
    """In a word, for a difference that something makes."""
    if corrected_p >= SIGNIFICANT or worth == 0:
        return "no difference that this data can show"
    return "helps" if worth > 0 else "hurts"


def _answer(check: Check, compared: Compared, family: int, seeds: int) -> Answer:
    sign = 1 if check.added else -1
    difference = compared.difference
    worth = sign * difference.value
    low, high = sorted((sign * difference.low, sign * difference.high))
    found = verdict(worth, compared.corrected_p)
    of = "comparison" if family == 1 else "comparisons"
    sentence = (
        f"{check.subject}: {found} (weighted F1 {100 * worth:+.1f} points with it, 95 % interval "
        f"{100 * low:+.1f} to {100 * high:+.1f}, p = {difference.p_value:.3f}, "
        f"{compared.corrected_p:.3f} corrected for {family} {of})."
    )
    if seeds > 1:
        same = sum(sign * value > 0 for value in compared.by_seed)
        sentence += f" It is better with it in {same} of {seeds} seeds."
    return Answer(check.subject, check.variant, found, sentence)


def _not_asked(check: Check, skipped: Mapping[str, str]) -> Answer:
    why = skipped.get(check.variant, f"{check.variant} was not among the variants")
    return Answer(check.subject, check.variant, "not asked", f"{check.subject}: not asked, {why}.")
