"""An ablation as one JSON document: table and page are made from it, so all say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from training.ablation.answers import answers, basis
from training.ablation.comparison import Row, compare
from training.ablation.experiment import Experiment
from training.ablation.outcome import Outcome
from training.ablation.variants import FULL, VARIANTS, has_stage1, learns_behaviour
from training.evaluation.bootstrap import LEVEL
from training.evaluation.document import versions
from training.recipe import Recipe

NOTEWORTHY = 0.1
"""Share of the updates of `full` by which a variant's may differ without a remark."""


@dataclass(frozen=True)
class About:
    """What was asked for."""

    command: str
    """That gives the same again."""
    synthesised: bool
    """Whether the data are those of `--smoke`, on which figures mean nothing."""
    resamples: int


def to_document(
    experiment: Experiment,
    outcomes: Mapping[str, Sequence[Outcome]],
    skipped: Mapping[str, str],
    about: About,
) -> dict[str, Any]:
    """Everything that was found, as JSON-safe values.

    Args:
        experiment: What was done.
        outcomes: By variant, `full` among them; the same seeds for each.
        skipped: Why the other variants are not there.
        about: What was asked for.
    """
    rows = compare(outcomes, about.resamples)
    first = next(iter(outcomes.values()))
    seeds = [one.seed for one in first]
    turns, dialogues = len(first[0].predictions.truth), first[0].predictions.dialogue_count
    recipe = experiment.job.recipe
    given = answers(rows, skipped, len(seeds), dialogues)
    return {
        "recipe": recipe.name,
        "corpus": recipe.corpus,
        "split": "dev",
        "turns": turns,
        "dialogues": dialogues,
        "train_dialogues": len(experiment.corpus.splits["train"]),
        "seeds": seeds,
        "variants": {row.name: _row_json(row, experiment) for row in rows},
        "skipped": dict(skipped),
        "answers": {
            question: [asdict(answer) for answer in found] for question, found in given.items()
        },
        "basis": basis(dialogues, turns, len(seeds), rows),
        "budget": [*budget_notes(recipe, list(outcomes)), *update_notes(rows)],
        "about": {**asdict(about), "interval_level": LEVEL, "versions": versions()},
    }


def budget_notes(recipe: Recipe, names: Sequence[str]) -> list[str]:
    """What is equal between the variants, and what is not."""
    stage1, stage2 = recipe.settings.stage1, recipe.settings.stage2
    notes = [
        "Equal for all: the corpus, the encoders, the descriptions and, for each seed, the "
        f"initial weights and the kinds of epoch of stage 2 ({stage2.epochs} in all), with the "
        "same learning rates and padded tokens of a batch. Updates, tokens and so time are what "
        "these epochs take; they are not made equal.",
        "Each training keeps the epoch that is best on dev, and the figures are on the same "
        "dev: all variants are a little better here than on dialogues that chose nothing.",
    ]
    if "single-stage" in names:
        notes.append(
            f"single-stage learns every description in each of the {stage2.epochs} epochs of "
            f"stage 2; full learns it in {stage1.epochs} of stage 1, before."
        )
    if "without-text" in names and recipe.spec.evidence:
        notes.append(
            "without-text is scored by the encoders alone, as a turn without words is live: the "
            "LLM is not asked (evidence of the spec)."
        )
    if "without-behaviour" in names:
        notes.append("without-behaviour has nothing in the place of stage 1: it is cheaper.")
    if any(name.startswith("context-") for name in names):
        notes.append(
            "A shorter context cuts a dialogue into more sequences, which repeat the "
            "instruction and what history is left: it may cost more tokens, not fewer."
        )
    if sum(has_stage1(VARIANTS[name].change(recipe)) for name in names) > 1:
        notes.append(
            "Variants with the same stage 1 share one that was trained once; its cost is given "
            "with each of them."
        )
    return notes


def update_notes(rows: Sequence[Row]) -> list[str]:
    """Which variants had clearly more or fewer updates of stage 2 than `full`, if any."""
    updates = {row.name: row.costs["stage2"].updates for row in rows if "stage2" in row.costs}
    full = updates.get(FULL, 0)
    other = {name: n for name, n in updates.items() if abs(n - full) > NOTEWORTHY * full}
    if not other:
        return []
    found = ", ".join(f"{name} {count:,}" for name, count in other.items())
    return [
        f"Of stage 2, full had {full:,} updates; others had clearly more or fewer: {found}. In so "
        "far their differences may be the updates' doing, the more so where updates are few: "
        "train all for longer to see whether a difference stays."
    ]


def _row_json(row: Row, experiment: Experiment) -> dict[str, Any]:
    variant = VARIANTS[row.name]
    recipe = variant.change(experiment.job.recipe)
    stage = recipe.settings.stage2
    return {
        "change": variant.sentence,
        "figures": dict(row.figures),
        "deviations": dict(row.deviations) if row.deviations else None,
        "differences": {
            figure: {
                **asdict(one.difference),
                "corrected_p": one.corrected_p,
                "by_seed": list(one.by_seed),
            }
            for figure, one in row.compared.items()
        },
        "epochs": {
            "stage1": recipe.settings.stage1.epochs if has_stage1(recipe) else 0,
            "stage2": stage.epochs,
        },
        "parts": list(recipe.settings.stage1.parts) if learns_behaviour(recipe) else [],
        "costs": {name: cost.to_dict() for name, cost in row.costs.items()},
    }
