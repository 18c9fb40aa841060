"""Packed dialogues give what a naive implementation gives, one utterance at a time."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import naive
import pytest
import torch
from tiny_model import random_turn
from torch import Tensor

from engine.model.model import EmotionModel, TurnInputs, add_lora, load_base
from engine.model.spec import ModelSpec, compact
from export.models import resolve
from training.learning.objectives import Objectives
from training.learning.sequences import TrainingSequence
from training.smoke import WORDS, Smoke

TOLERANCE = 1e-4
"""Of label scores in fp32, as the issue of this project asks."""


@pytest.fixture(scope="module")
def tiny(smoke: Smoke) -> tuple[EmotionModel, Any]:
    """The random LLaMA of two layers."""
    return build(smoke.spec)


@pytest.fixture(scope="module")
def smollm2() -> tuple[EmotionModel, Any]:
    """The base of the compact bundle."""
    return build(compact())


def build(spec: ModelSpec) -> tuple[EmotionModel, Any]:
    """With LoRA that already changes something, which fresh LoRA does not."""
    torch.manual_seed(0)
    llm, tokenizer = load_base(Path(resolve(spec.llm.base)))
    model = EmotionModel(spec, add_lora(llm, spec.llm), tokenizer)
    with torch.no_grad():
        for name, parameter in model.llm.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.02)
    return model, tokenizer


def make_dialogues(spec: ModelSpec, count: int, seed: int) -> list[list[TurnInputs]]:
    """Speakers, words and modalities at random; every modality is absent somewhere."""
    rng = random.Random(seed)
    vocabulary = " ".join(WORDS.values()).split()
    made = []
    for _ in range(count):
        names = [f"Person {n}" for n in range(rng.randint(1, 4))]
        turns = []
        for _ in range(rng.randint(1, 6)):
            text = " ".join(rng.choices(vocabulary, k=rng.choice((1, 4, 8, 16, 120)))).capitalize()
            turns.append(
                random_turn(
                    spec,
                    seed=rng.randrange(2**31),
                    speaker=rng.choice(names),
                    text=None if rng.random() < 0.2 else text + rng.choice(".?!"),
                    windows=rng.choice((0, 0, 1, 2, 3)),
                    video=rng.random() < 0.6,
                )
            )
        made.append(turns)
    return made


def make_labels(dialogues: list[list[TurnInputs]], emotions: int) -> list[list[int]]:
    """One for each turn."""
    rng = random.Random(9)
    return [[rng.randrange(emotions) for _ in dialogue] for dialogue in dialogues]


def one_by_one(model: EmotionModel, tokenizer: Any, dialogues: list[list[TurnInputs]]) -> Tensor:
    """Naive label scores of all turns: (n, E)."""
    scores = [
        naive.label_scores(model, tokenizer, dialogue[: index + 1])
        for dialogue in dialogues
        for index in range(len(dialogue))
    ]
    return torch.stack(scores)


def test_labels_are_scored_where_each_prompt_ends(tiny: tuple[EmotionModel, Any]) -> None:
    """The position of a cue in the packed dialogue is the last of the prompt up to there."""
    model, tokenizer = tiny
    for dialogue in make_dialogues(model.spec, 20, seed=1):
        packed = model.prompt.build([turn.shape for turn in dialogue])
        ends = [
            len(naive.read_prompt(model, tokenizer, dialogue[: index + 1])) - 1
            for index in range(len(dialogue))
        ]
        assert packed.cues.tolist() == ends
        assert len(packed.ids) == ends[-1] + 1


@pytest.mark.parametrize("training", [True, False])
@torch.no_grad()
def test_label_scores_of_twenty_dialogues_are_equal(
    tiny: tuple[EmotionModel, Any], training: bool
) -> None:
    """All in one padded batch against each utterance with its history alone."""
    model, tokenizer = tiny
    model.train(training)
    dialogues = make_dialogues(model.spec, 20, seed=2)
    packed, single = model(dialogues), one_by_one(model, tokenizer, dialogues)
    assert len(packed) == sum(map(len, dialogues)) > 50
    assert (packed - single).abs().max() < TOLERANCE
    # The comparison can fail: a turn earlier or without its history it would.
    assert (packed[1:] - single[:-1]).abs().max() > 100 * TOLERANCE
    without_history = torch.stack(
        [naive.label_scores(model, tokenizer, [turn]) for turns in dialogues for turn in turns]
    )
    assert (packed - without_history).abs().max() > 100 * TOLERANCE


def test_loss_and_gradients_are_equal(tiny: tuple[EmotionModel, Any]) -> None:
    """The training loss of packed batches is the sum over utterances, weights of classes too."""
    model, tokenizer = tiny
    model.train()
    dialogues = make_dialogues(model.spec, 20, seed=3)
    labels = make_labels(dialogues, len(model.spec.labels))
    weights = torch.linspace(0.5, 2.0, len(model.spec.labels))
    objectives = Objectives(model)
    objectives.class_weights = weights
    targets = torch.eye(len(model.spec.labels))
    sequences = [
        TrainingSequence(tuple(turns), targets[own])
        for turns, own in zip(dialogues, labels, strict=True)
    ]
    emotions, behaviour = objectives(sequences)
    flat = [label for own in labels for label in own]
    scores = one_by_one(model, tokenizer, dialogues)
    single = torch.stack(
        [
            weights[label] * naive.cross_entropy(own, label)
            for own, label in zip(scores, flat, strict=True)
        ]
    ).sum()
    assert behaviour == 0
    torch.testing.assert_close(emotions, single, rtol=1e-6, atol=TOLERANCE)
    trained = [p for p in model.parameters() if p.requires_grad]
    packed_gradients = torch.autograd.grad(emotions, trained)
    for packed, expected in zip(
        packed_gradients, torch.autograd.grad(single, trained), strict=True
    ):
        assert expected.abs().max() > 0
        torch.testing.assert_close(packed, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
@torch.no_grad()
def test_label_scores_of_the_real_base_are_equal(smollm2: tuple[EmotionModel, Any]) -> None:
    """SmolLM2 in fp32, all of its thirty layers, on two dialogues."""
    model, tokenizer = smollm2
    model.train()
    dialogues = make_dialogues(model.spec, 2, seed=4)
    packed, single = model(dialogues), one_by_one(model, tokenizer, dialogues)
    assert (packed - single).abs().max() < TOLERANCE
    assert packed.std() > 100 * TOLERANCE
