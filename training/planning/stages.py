"""The work of both stages: sequences of every epoch, batches, updates, operations."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.model.spec import ModelSpec
from training.learning.batching import make_batches
from training.learning.cost import TokenFlops, model_flops_per_token
from training.planning.memory import BatchShape
from training.planning.tokens import (
    CorpusSizes,
    Presence,
    SequenceSize,
    TurnSize,
    packed,
)
from training.recipe import Recipe
from training.settings import Dropout

SOLO_TURNS = 8
"""Turns of a sequence without words (`training.composition.compose.solo_sequences`)."""


@dataclass(frozen=True)
class EpochPlan:
    """Epochs of one kind; figures are of one of them."""

    name: str
    count: int
    sequences: int
    tokens: int
    """Without padding."""
    padded_tokens: int
    updates: int
    """The same on any number of GPUs."""
    flops: float
    largest: BatchShape
    """Of one GPU."""


def plan_pretuning(recipe: Recipe, sizes: CorpusSizes, llm: Any, processes: int) -> list[EpochPlan]:
    """Words of other corpora, before both stages."""
    stage = recipe.settings.pretune
    made = packed(sizes, recipe.spec, Presence())
    work = _Work(recipe, llm, stage.batch_tokens, processes)
    return [work.epochs("words", stage.epochs, made, trained_inputs=False)]


def plan_distillation(
    recipe: Recipe, sizes: CorpusSizes, llm: Any, processes: int
) -> list[EpochPlan]:
    """The teacher's words, which every fold is left out of once; without the scoring."""
    settings = recipe.settings.distillation
    made = packed(sizes, recipe.spec, Presence())
    others = made[: round(len(made) * (settings.folds - 1) / settings.folds)]
    work = _Work(recipe, llm, settings.batch_tokens, processes)
    return [work.epochs("words", settings.epochs * settings.folds, others, trained_inputs=False)]


def plan_stage1(recipe: Recipe, sizes: CorpusSizes, llm: Any, processes: int) -> list[EpochPlan]:
    """Behaviour alignment, as if every utterance were described."""
    stage = recipe.settings.stage1
    if not stage.epochs or recipe.settings.stage2.joint:
        return []
    made = _described(recipe.spec, sizes)
    work = _Work(recipe, llm, stage.batch_tokens, processes)
    return [work.epochs("behaviour", stage.epochs, made)]


def plan_stage2(recipe: Recipe, sizes: CorpusSizes, llm: Any, processes: int) -> list[EpochPlan]:
    """MERC tuning; composed voices are taken to be as long as the corpus's own."""
    stage, spec = recipe.settings.stage2, recipe.spec
    dropped = after_dropout(recipe.settings.dropout)
    chosen = sizes.dialogues[: round(len(sizes.dialogues) * stage.composed_share)]
    composed = packed(replace(sizes, dialogues=chosen), spec, dropped)
    kinds = [
        ("words", stage.text_epochs * max(1, stage.members), packed(sizes, spec, Presence())),
        ("composed", stage.composed_epochs, [*composed, *_solo(sizes, spec, stage.solo_sequences)]),
        ("clips", stage.clip_epochs, packed(sizes, spec, dropped)),
    ]
    described = _described(spec, sizes) if stage.joint else []
    present = [kind for kind in kinds if kind[1]]
    work = _Work(recipe, llm, stage.batch_tokens, processes)
    return [
        work.epochs(
            name,
            count,
            [*made, *described],
            trained_inputs=name != "words" or stage.joint,
        )
        for name, count, made in present
    ]


def after_dropout(dropout: Dropout) -> Presence:
    """What `training.composition.compose.drop_modalities` leaves of turns that have everything."""
    mixed = 1 - dropout.text_only_dialogue
    return Presence(
        text=1 - mixed * dropout.text,
        audio=mixed * (1 - dropout.audio),
        video=mixed * (1 - dropout.video),
    )


@dataclass(frozen=True)
class _Work:
    """What all epochs of a stage have in common."""

    recipe: Recipe
    llm: Any
    """Without weights."""
    batch_tokens: int
    processes: int

    def epochs(
        self,
        name: str,
        count: int,
        sequences: Sequence[SequenceSize],
        *,
        trained_inputs: bool = True,
    ) -> EpochPlan:
        trainer = self.recipe.settings.trainer
        lowest = 0 if trained_inputs else self.recipe.spec.llm.lora_first_layer
        flops = model_flops_per_token(
            self.llm, training=True, lowest=lowest, recompute=trainer.checkpoint_activations
        )
        batches = make_batches(sequences, lambda one: one.tokens, self.batch_tokens, _ANY_ORDER)
        shapes = [_shape(batch) for batch in batches]
        parts = [_shape(_largest_part(batch, self.processes)) for batch in batches]
        return EpochPlan(
            name=name,
            count=count,
            sequences=len(sequences),
            tokens=sum(sequence.tokens for sequence in sequences),
            padded_tokens=sum(shape.padded_tokens for shape in shapes),
            updates=-(-len(batches) // trainer.accumulate),
            flops=sum(_flops(flops, batch) for batch in batches),
            largest=BatchShape(
                max(part.padded_tokens for part in parts), max(part.logits for part in parts)
            ),
        )


_ANY_ORDER = random.Random(0)
"""Batches are only added up."""


def _shape(batch: Sequence[SequenceSize]) -> BatchShape:
    longest = max(sequence.tokens for sequence in batch)
    return BatchShape(longest * len(batch), sum(sequence.logits for sequence in batch))


def _largest_part(batch: Sequence[SequenceSize], processes: int) -> Sequence[SequenceSize]:
    """What one of several processes has of a batch, at most: its longest sequence is last."""
    count = -(-len(batch) // processes)
    return batch[-count:]


def _flops(flops: TokenFlops, batch: Sequence[SequenceSize]) -> float:
    shape = _shape(batch)
    return flops.of_batch(shape.padded_tokens, shape.padded_tokens / len(batch), shape.logits)


def _described(spec: ModelSpec, sizes: CorpusSizes) -> list[SequenceSize]:
    """Dialogues with as many placeholders as there will be tokens, and their descriptions."""
    return packed(sizes, spec, Presence(1, 1, 1), described=True)


def _solo(sizes: CorpusSizes, spec: ModelSpec, count: int) -> list[SequenceSize]:
    """Sequences without words: a quarter voices, half faces, a quarter both."""
    windows = [turn.windows for dialogue in sizes.dialogues for turn in dialogue]
    turn = TurnSize(text=0, windows=sum(windows) / len(windows))
    alone = replace(sizes, dialogues=((turn,) * SOLO_TURNS,) * count)
    return packed(alone, spec, Presence(text=0, audio=0.5, video=0.75)) if count else []
