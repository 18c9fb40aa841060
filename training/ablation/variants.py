"""What is taken out of a recipe, or put in another's place, to see what it was worth.

`VARIANTS` has all by name. A variant that a recipe cannot have is skipped, and says why: a
recipe that reads no clips has no voice to take out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from engine.model.spec import INSTRUCTIONS, MODALITIES
from stream.errors import UserError
from training.describe.description import PARTS
from training.recipe import Recipe

FULL = "full"
"""What the others are compared with: the recipe as it is."""
CONTEXTS = (1, 64, 128, 256, 512, 1024)
"""Tokens of a dialogue, its instruction included; 1 leaves the turn alone, which is never cut."""


@dataclass(frozen=True)
class Variant:
    """One change of a recipe."""

    name: str
    """Key of `VARIANTS`."""
    sentence: str
    """What is changed, for the report."""
    change: Callable[[Recipe], Recipe]
    obstacle: Callable[[Recipe], str]
    """Why a recipe cannot be changed so; empty where it can."""


def choose(recipe: Recipe, only: Sequence[str] = ()) -> tuple[list[Variant], dict[str, str]]:
    """The variants to train, `full` first, and why the others are left out.

    Args:
        recipe: What is changed.
        only: Names; all for none.

    Raises:
        UserError: there is no such variant, or none but `full` is left.
    """
    unknown = [name for name in only if name not in VARIANTS]
    if unknown:
        raise UserError(f"--only {unknown[0]}: there are {', '.join(VARIANTS)}")
    wanted = [v for name, v in VARIANTS.items() if name == FULL or not only or name in only]
    skipped = {v.name: why for v in wanted if (why := v.obstacle(recipe))}
    chosen = [variant for variant in wanted if variant.name not in skipped]
    if len(chosen) < 2:
        why = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
        raise UserError(
            f"there is nothing to compare recipe {recipe.name} with"
            + (f" ({why})" if why else ": name more than full in --only")
        )
    return chosen, skipped


def learns_behaviour(recipe: Recipe) -> bool:
    """Whether descriptions are learned, in a stage of their own or beside the emotions."""
    return recipe.settings.stage1.epochs > 0 or recipe.settings.stage2.joint


def has_stage1(recipe: Recipe) -> bool:
    """Whether there are two stages."""
    return recipe.has_stage1


def uses_encoders(recipe: Recipe) -> bool:
    """Whether voices or faces are read in training."""
    stage = recipe.settings.stage2
    return stage.composed_epochs + stage.clip_epochs > 0


def _full() -> Variant:
    return Variant(FULL, "The recipe as it is.", lambda recipe: recipe, lambda recipe: "")


def _without_part(part: str) -> Variant:
    words = part.replace("_", " ")

    def change(recipe: Recipe) -> Recipe:
        left = [name for name in recipe.settings.stage1.parts if name != part]
        return recipe.with_settings(stage1={"parts": left})

    def obstacle(recipe: Recipe) -> str:
        parts = recipe.settings.stage1.parts
        if not learns_behaviour(recipe):
            return "the recipe learns no descriptions (stage1.epochs is 0)"
        if part not in parts:
            return f"the recipe leaves it out already: stage1.parts has no {part}"
        return "" if len(parts) > 1 else "nothing else is described: see without-behaviour"

    sentence = f"The descriptions of stage 1 have no {words}."
    return Variant(f"without-{words.replace(' ', '-')}", sentence, change, obstacle)


def _without_behaviour() -> Variant:
    def obstacle(recipe: Recipe) -> str:
        learns = learns_behaviour(recipe)
        return "" if learns else "the recipe learns no descriptions (stage1.epochs is 0)"

    return Variant(
        "without-behaviour",
        "No description is learned and there is no stage 1: the LLMERC baseline.",
        lambda recipe: recipe.with_settings(stage1={"epochs": 0}, stage2={"joint": False}),
        obstacle,
    )


def _single_stage() -> Variant:
    return Variant(
        "single-stage",
        "No stage 1: descriptions and emotions are learned together, in the epochs of stage 2.",
        lambda recipe: recipe.with_settings(stage2={"joint": True}),
        lambda recipe: "" if has_stage1(recipe) else "the recipe has one stage as it is",
    )


def _prompt(style: str, sentence: str) -> Variant:
    def instruction(recipe: Recipe) -> str:
        return INSTRUCTIONS[style](recipe.spec.labels)

    def obstacle(recipe: Recipe) -> str:
        same = recipe.spec.prompt.instruction == instruction(recipe)
        return f"the recipe's prompt is {style} as it is" if same else ""

    return Variant(
        f"{style}-prompt",
        sentence,
        lambda recipe: recipe.with_spec(prompt={"instruction": instruction(recipe)}),
        obstacle,
    )


def _without_modality(modality: str) -> Variant:
    word = {"text": "words", "audio": "voice", "video": "pictures"}[modality]

    def change(recipe: Recipe) -> Recipe:
        absent = [*recipe.settings.stage2.without, modality]
        return recipe.with_settings(stage2={"without": absent})

    def obstacle(recipe: Recipe) -> str:
        stage = recipe.settings.stage2
        if not stage.clip_epochs:
            return "dev is words alone: the recipe reads no clips (stage2.clip_epochs is 0)"
        if modality in stage.without:
            return "the recipe leaves it out already (stage2.without)"
        left = set(MODALITIES) - {*stage.without, modality}
        return "" if left else "nothing would be left: it is the recipe's only modality"

    sentence = f"Turns have no {word}, in stage 2 and on dev."
    return Variant(f"without-{modality}", sentence, change, obstacle)


def _context(tokens: int) -> Variant:
    def obstacle(recipe: Recipe) -> str:
        own = recipe.spec.prompt.context_tokens
        return "" if tokens < own else f"the recipe's context is {own} tokens: not shorter"

    reach = "alone, with no history" if tokens == 1 else f"in a context of {tokens} tokens"
    return Variant(
        f"context-{tokens}",
        f"A turn is read {reach}, in both stages.",
        lambda recipe: recipe.with_spec(prompt={"context_tokens": tokens}),
        obstacle,
    )


_FLAT = "The instruction is one sentence."
_STRUCTURED = "The instruction has the paper's four blocks: title, context, objective, constraint."
VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        variant.name: variant
        for variant in (
            _full(),
            *(_without_part(part) for part in PARTS),
            _without_behaviour(),
            _single_stage(),
            _prompt("flat", _FLAT),
            _prompt("structured", _STRUCTURED),
            *(_without_modality(modality) for modality in MODALITIES),
            *(_context(tokens) for tokens in CONTEXTS),
        )
    }
)
"""All of them, in the order of the report."""
