"""Stage 2 learns, resumes in the middle of an epoch, and spends tokens as it is told."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import random_dialogues, random_turn

from engine.model.model import EmotionModel
from engine.model.spec import ModelSpec
from training import stage2
from training.checkpoint import save_checkpoint
from training.compose import (
    Bank,
    Banks,
    Dropout,
    Sample,
    TrainingSequence,
    compose,
    drop_modalities,
    solo_sequences,
)
from training.corpora import Corpora
from training.datasets.meld import read_meld
from training.smoke import Smoke
from training.stage2 import (
    Stage2Training,
    build_model,
    make_batches,
    make_optimizer,
    set_learning_rates,
    train_step,
)

OPTIONS = Stage2Training(text_epochs=1, composed_epochs=1, batch_tokens=200, save_every=2)


def banks(spec: ModelSpec) -> Banks:
    """Two random voices and faces of each label."""
    turns = {label: [random_turn(spec, 10 * label + k) for k in range(2)] for label in range(7)}

    def bank(name: str) -> Bank:
        return {
            label: [
                Sample(getattr(t, name), getattr(t, f"{name}_scores"), torch.eye(7)[label])
                for t in own
            ]
            for label, own in turns.items()
        }

    return Banks(voices=bank("audio"), faces=bank("video"))


def fresh_model(spec: ModelSpec) -> EmotionModel:
    """With the weights that a seed gives."""
    torch.manual_seed(OPTIONS.seed)
    return build_model(spec)


def fit(smoke: Smoke, out: Path) -> None:
    """Both kinds of epoch on the synthesised dialogues."""
    corpora, drawn = Corpora.below(smoke.data), banks(smoke.spec)
    dialogues = read_meld(corpora.meld_train)

    def composed(rng: random.Random) -> list[TrainingSequence]:
        made = [
            drop_modalities(compose(dialogue, drawn, rng), Dropout(), rng) for dialogue in dialogues
        ]
        return made + solo_sequences(drawn, 3, rng, turns=2)

    dev = read_meld(corpora.meld_dev)
    stage2.fit(fresh_model(smoke.spec), dialogues, dev, composed, OPTIONS, out)


def test_a_killed_training_ends_with_the_same_weights(
    smoke: Smoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle of both epochs and between them: all state at the end is equal."""
    fit(smoke, tmp_path / "whole")
    killed_at = []

    def save_and_die(path: Path, modules: object, optimizer: object, progress: dict) -> None:  # type: ignore[type-arg]
        save_checkpoint(path, modules, optimizer, progress)  # type: ignore[arg-type]
        killed_at.append((progress["epoch"], progress["step"]))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage2, "save_checkpoint", save_and_die)
        while (2, 0) not in killed_at:
            with pytest.raises(KeyboardInterrupt):
                fit(smoke, tmp_path / "killed")
            assert len(killed_at) == len(set(killed_at)), "no progress since the last kill"
    fit(smoke, tmp_path / "killed")
    assert {(0, 2), (1, 0), (1, 2)} <= set(killed_at)
    for name in ("last.safetensors", "lora.safetensors", "fusion.safetensors"):
        resumed = load_file(tmp_path / "killed" / name)
        expected = load_file(tmp_path / "whole" / name)
        assert resumed.keys() == expected.keys()
        for key, value in expected.items():
            assert torch.equal(resumed[key], value), f"{name} {key}"


def sequences(spec: ModelSpec) -> list[TrainingSequence]:
    """Seven turns of seven labels."""
    labels = torch.eye(7)
    made, used = [], 0
    for turns in random_dialogues(spec):
        made.append(TrainingSequence(tuple(turns), labels[used : used + len(turns)]))
        used += len(turns)
    return made


def test_the_loss_falls(smoke: Smoke) -> None:
    """Seven turns are learnt by heart in a few steps."""
    model = fresh_model(smoke.spec)
    options = dataclasses.replace(OPTIONS, text_epochs=0)
    optimizer = make_optimizer(model, options)
    set_learning_rates(optimizer, 0.1)
    batch = sequences(smoke.spec)
    losses = [train_step(model, batch, optimizer, frozen=False) for _ in range(40)]
    assert losses[0] > 1.2
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("frozen", [True, False])
def test_words_alone_do_not_move_the_adapters(smoke: Smoke, frozen: bool) -> None:
    """In the text epochs only LoRA learns; afterwards everything does, and can again."""
    model = fresh_model(smoke.spec)
    optimizer = make_optimizer(model, dataclasses.replace(OPTIONS, text_epochs=0))
    set_learning_rates(optimizer, 0.1)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for _ in range(2):
        train_step(model, sequences(smoke.spec), optimizer, frozen)
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert moved == {name for name in trained if not (frozen and name.startswith("fusion"))}


def test_learning_rates_rise_and_fall(smoke: Smoke) -> None:
    """LoRA over the whole training, adapters and evidence over its composed part."""
    options = Stage2Training(text_epochs=2, composed_epochs=1)
    optimizer = make_optimizer(fresh_model(smoke.spec), options)
    peaks = (
        options.learning_rate,
        options.adapter_learning_rate,
        options.evidence_learning_rate,
    )

    def rates(done: float) -> list[float]:
        set_learning_rates(optimizer, done)
        return [group["lr"] for group in optimizer.param_groups]

    assert rates(0) == [0, 0, 0]
    assert rates(0.05) == [pytest.approx(peaks[0]), 0, 0]
    assert rates(0.6)[1:] == [0, 0]
    assert rates(2 / 3 + 0.05 / 3)[1:] == [pytest.approx(peak) for peak in peaks[1:]]
    assert rates(1) == [pytest.approx(0, abs=1e-12)] * 3
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(parameters) == len({id(p) for p in parameters})


def test_batches_hold_every_sequence_once(smoke: Smoke) -> None:
    """Within the budget of padded tokens, but for a dialogue that is longer by itself."""
    model = fresh_model(smoke.spec)
    made = sequences(smoke.spec) * 4
    lengths = {
        id(one): len(model.prompt.build([turn.shape for turn in one.turns]).ids) for one in made
    }
    budget = min(lengths.values()) * 3
    batches = make_batches(model, made, budget, random.Random(1))
    assert sorted(id(one) for batch in batches for one in batch) == sorted(map(id, made))
    for batch in batches:
        assert len(batch) * max(lengths[id(one)] for one in batch) <= budget or len(batch) == 1
    assert max(map(len, batches)) == 3
    again = make_batches(model, made, budget, random.Random(1))
    assert [list(map(id, batch)) for batch in again] == [list(map(id, b)) for b in batches]
