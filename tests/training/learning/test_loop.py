"""The loop that trains: what it does with numbers that are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stream.errors import UserError
from training.datasets.meld import read_meld
from training.learning.learner import build_learner, lora_parameters
from training.learning.loop import CHECKPOINT, Epoch, Training, fit
from training.learning.objectives import Objectives
from training.learning.runtime import Runtime
from training.learning.schedule import Group, make_optimizer
from training.learning.sequences import word_sequences
from training.smoke import Smoke


@pytest.fixture
def learner(smoke: Smoke) -> Objectives:
    """That learns from words alone."""
    torch.manual_seed(0)
    learner = build_learner(smoke.recipe)
    learner.model.fusion.requires_grad_(False)
    learner.placeholders.requires_grad_(False)
    return learner


def a_training(smoke: Smoke, learner: Objectives, out: Path) -> Training:
    """An epoch in batches of a dialogue, with a checkpoint after every update."""
    dialogues = read_meld(smoke.data / "meld" / "train_sent_emo.csv")
    sequences = word_sequences(dialogues, smoke.spec.labels, learner.model.prompt)
    recipe = smoke.recipe.with_settings(trainer={"save_every": 1})

    def dev(_: nn.Module, __: Runtime) -> float:
        return 0.0

    return Training(
        name="stage2",
        objectives=learner,
        optimizer=make_optimizer([Group(lora_parameters(learner), 1e-3)]),
        epochs=[Epoch("words 1/1", lambda rng: sequences, batch_tokens=1, frozen_inputs=True)],
        dev=dev,
        save=lambda: None,
        settings=recipe.settings.trainer,
        out=out,
        owner="mine",
    )


def test_gradients_that_are_no_numbers_reach_no_weight(
    smoke: Smoke, learner: Objectives, tmp_path: Path
) -> None:
    """With a finite loss, too: weights and checkpoint are those of the update before."""
    training, updates = a_training(smoke, learner, tmp_path / "stage2"), 0
    weight = lora_parameters(learner)[0]

    def overflow(gradient: Tensor) -> Tensor:
        nonlocal updates
        updates += 1
        return gradient if updates < 4 else gradient * float("nan")

    weight.register_hook(overflow)
    with pytest.raises(
        UserError,
        match=r"stage2: the norm of the gradients is nan in update 4, .*lower stage2\.learning_rate"
        r" .*or raise trainer\.precision to fp32, and delete .*stage2",
    ):
        fit(training, Runtime(training.settings, training.out))
    kept = load_file(training.out / CHECKPOINT)
    assert all(bool(value.isfinite().all()) for value in kept.values())
    named = {name: p for name, p in learner.named_parameters() if p.requires_grad}
    assert named
    for name, parameter in named.items():
        assert torch.equal(parameter, kept[f"objectives/{name}"]), name


def test_an_update_is_a_number_of_batches(
    smoke: Smoke, learner: Objectives, tmp_path: Path
) -> None:
    """Twelve dialogues, a batch each, are twelve updates, or six of two batches."""
    whole = a_training(smoke, learner, tmp_path / "stage2")
    assert fit(whole, Runtime(whole.settings, whole.out)).updates == 12
    halves = a_training(smoke, learner, tmp_path / "other")
    accumulating = smoke.recipe.with_settings(trainer={"accumulate": 2}).settings.trainer
    halves = replace(halves, settings=accumulating)
    assert fit(halves, Runtime(halves.settings, halves.out)).updates == 6
