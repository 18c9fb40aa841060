"""The model as it is trained: precision, activation checkpoints, quantisation, what is kept."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import random_dialogues

from stream.errors import UserError
from training.learning import learner as learner_module
from training.learning.learner import build_learner, load_lora, lora_parameters, owner, save_learned
from training.learning.objectives import Objectives
from training.learning.sequences import TrainingSequence
from training.recipe import Recipe
from training.smoke import Smoke


def built(recipe: Recipe) -> Objectives:
    """With the weights that a seed gives."""
    torch.manual_seed(0)
    learner = build_learner(recipe).train()
    with torch.no_grad():
        for parameter in lora_parameters(learner):
            parameter.add_(0.05 * torch.randn_like(parameter))
    return learner


def gradients(learner: Objectives) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss of seven turns, and what it gives to every trained parameter."""
    used, batch = 0, []
    for turns in random_dialogues(learner.model.spec):
        batch.append(TrainingSequence(tuple(turns), torch.eye(7)[used : used + len(turns)]))
        used += len(turns)
    loss = learner(batch).sum()
    loss.backward()
    named = learner.named_parameters()
    return float(loss.detach()), {name: p.grad for name, p in named if p.grad is not None}


@torch.no_grad()
def scored(learner: Objectives) -> torch.Tensor:
    """(7, E) scores of seven turns."""
    batch = [
        TrainingSequence(tuple(turns), torch.zeros(len(turns), 7))
        for turns in random_dialogues(learner.model.spec)
    ]
    scores: torch.Tensor = learner.eval()(batch, scores_only=True)
    return scores


def test_activation_checkpoints_change_nothing(smoke: Smoke) -> None:
    """Computed again, the gradients are the same; only memory and time differ."""
    one, mine = gradients(built(smoke.recipe))
    checkpointed = smoke.recipe.with_settings(trainer={"checkpoint_activations": True})
    other, theirs = gradients(built(checkpointed))
    assert other == pytest.approx(one)
    assert mine.keys() == theirs.keys()
    for name, gradient in mine.items():
        torch.testing.assert_close(theirs[name], gradient, atol=1e-5, rtol=1e-4, msg=name)


def test_half_precision_is_for_the_base_alone(smoke: Smoke) -> None:
    """bf16 halves the frozen weights; what is trained stays fp32, and the loss nearly so."""
    learner = built(smoke.recipe.with_settings(trainer={"precision": "bf16"}))
    types = {p.requires_grad: set() for p in learner.parameters()}  # type: ignore[var-annotated]
    for parameter in learner.parameters():
        types[parameter.requires_grad].add(parameter.dtype)
    assert types == {False: {torch.bfloat16}, True: {torch.float32}}
    loss, _ = gradients(learner)
    assert loss == pytest.approx(gradients(built(smoke.recipe))[0], rel=0.02)


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is not None, reason="it is there")
def test_four_bits_need_bitsandbytes(smoke: Smoke) -> None:
    """The message says what to install, or to set."""
    with pytest.raises(UserError, match=r"bitsandbytes is missing: pip install 'bemerc-live\[ql"):
        build_learner(
            smoke.recipe.with_settings(
                stage2={"rank_dropout": 0.0}, trainer={"quantization": "4bit"}
            )
        )


def test_what_is_learned_is_kept(smoke: Smoke, tmp_path: Path) -> None:
    """LoRA of stage 1 goes on in stage 2; what was frozen is not written."""
    learner = built(smoke.recipe)
    learner.model.fusion.requires_grad_(False)
    save_learned(learner, tmp_path, write=False)
    assert not list(tmp_path.iterdir())
    save_learned(learner, tmp_path, write=True)
    assert {p.name for p in tmp_path.iterdir()} == {"lora.safetensors", "placeholders.safetensors"}
    again = build_learner(smoke.recipe, start=tmp_path)
    pairs = zip(lora_parameters(again), lora_parameters(learner), strict=True)
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs, atol=1e-3, rtol=1e-3)
    assert all(v.dtype == torch.float16 for v in load_file(tmp_path / "lora.safetensors").values())


def test_lora_of_another_rank_is_refused(smoke: Smoke, tmp_path: Path) -> None:
    """Nothing is loaded that does not fit."""
    save_learned(built(smoke.recipe), tmp_path, write=True)
    other = build_learner(smoke.recipe.with_spec(llm={"lora_rank": 1}))
    with pytest.raises(UserError, match="is LoRA of another spec: run stage 1"):
        load_lora(other, tmp_path / "lora.safetensors")


def test_lora_of_a_lower_rank_and_fewer_layers_is_gone_on_with(
    smoke: Smoke, tmp_path: Path
) -> None:
    """A model with more LoRA than a pre-tuning begins as just what that has learned."""
    narrow = {"lora_rank": 2, "lora_alpha": 4, "lora_first_layer": 1}
    taught = built(smoke.recipe.with_spec(llm=narrow))
    save_learned(taught, tmp_path, write=True)
    wide = {"lora_rank": 3, "lora_alpha": 6, "lora_first_layer": 0}
    begun = build_learner(smoke.recipe.with_spec(llm=wide), start=tmp_path)
    begun.load_state_dict(
        {n: v for n, v in taught.state_dict().items() if "lora_" not in n}, strict=False
    )
    assert len(lora_parameters(begun)) > len(lora_parameters(taught))
    torch.testing.assert_close(scored(begun), scored(taught), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"llm": {"hidden_size": 65}}, "is 64 wide, the spec says 65"),
        ({"llm": {"lora_first_layer": 9}}, "lora_first_layer 9: the base has 2"),
        (
            {"labels": ["bold move", "bold word"], "evidence": False},
            "do not differ in their first token",
        ),
    ],
)
def test_a_base_of_another_kind_is_one_line(change: dict, told: str, smoke: Smoke) -> None:
    """What the recipe says and the base does not have is named."""
    recipe = smoke.recipe.with_settings(stage2={"composed_epochs": 0})
    with pytest.raises(UserError, match=told):
        build_learner(recipe.with_spec(**change))


def test_a_full_disk_is_one_line(smoke: Smoke, tmp_path: Path) -> None:
    """A folder that cannot be written is named."""
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(UserError, match=r"safetensors could not be written .*make room there"):
        save_learned(built(smoke.recipe), blocked / "stage2", write=True)


def test_an_owner_is_what_changes_the_result(smoke: Smoke) -> None:
    """Seed, spec and hyper-parameters; not the name, nor how often it is saved."""
    recipe = smoke.recipe
    same = owner(recipe, "stage2", 1)
    assert owner(recipe.with_spec(name="other"), "stage2", 1) == same
    assert owner(recipe.with_settings(trainer={"save_every": 7}), "stage2", 1) == same
    changed = [
        owner(recipe, "stage2", 2),
        owner(recipe, "stage1", 1),
        owner(recipe.with_settings(stage2={"weight_decay": 0.5}), "stage2", 1),
        owner(recipe.with_settings(stage2={"weight_decay": 0.0}), "stage2", 1),
        owner(recipe.with_settings(dropout={"text": 0.5}), "stage2", 1),
        owner(recipe.with_settings(composition={"mismatched": 0.5}), "stage2", 1),
        owner(recipe.with_settings(trainer={"precision": "bf16"}), "stage2", 1),
        owner(recipe.with_settings(trainer={"accumulate": 2}), "stage2", 1),
        owner(recipe.with_spec(prompt={"context_tokens": 8}), "stage2", 1),
    ]
    assert len({same, *changed}) == len(changed) + 1


def test_an_option_that_is_off_is_no_other_training(
    smoke: Smoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was trained before there was the option is still what a recipe without it asks for."""
    recipe = smoke.recipe.with_settings(stage2={"cut_share": 0.0})
    on, off = smoke.recipe.with_settings(stage2={"cut_share": 0.5}), owner(recipe, "stage2", 1)
    fields = [f for f in dataclasses.fields(recipe.settings.stage2) if f.name != "cut_share"]
    older = dataclasses.make_dataclass("Older", [(field.name, field.type) for field in fields])
    values = {field.name: getattr(recipe.settings.stage2, field.name) for field in fields}
    monkeypatch.setitem(vars(recipe.settings), "stage2", older(**values))
    assert owner(recipe, "stage2", 1) == off != owner(on, "stage2", 1)


def test_stage_2_belongs_to_the_stage_1_that_it_goes_on_with(smoke: Smoke, tmp_path: Path) -> None:
    """Trained anew, stage 1 is another start: what stage 2 did from the old one is not kept."""
    learned, owners = built(smoke.recipe), [owner(smoke.recipe, "stage2", 1)]
    for step in range(2):
        with torch.no_grad():
            lora_parameters(learned)[0].add_(step)
        save_learned(learned, tmp_path, write=True)
        owners.append(owner(smoke.recipe, "stage2", 1, start=tmp_path))
    assert len(set(owners)) == 3
    assert owner(smoke.recipe, "stage2", 1, start=tmp_path) == owners[-1]


def test_damaged_lora_is_one_line(smoke: Smoke, tmp_path: Path) -> None:
    """A half-written file is named."""
    (tmp_path / "lora.safetensors").write_bytes(b"half of")
    with pytest.raises(
        UserError, match=r"lora\.safetensors cannot be read .*train that stage again"
    ):
        load_lora(built(smoke.recipe), tmp_path / "lora.safetensors")


def test_four_bits_are_stored_as_the_rest_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that FSDP shards packed weights beside the others of the same type."""
    monkeypatch.setattr(learner_module.importlib.util, "find_spec", lambda name: object())
    config = learner_module._four_bit(torch.bfloat16)
    assert config.bnb_4bit_quant_storage == config.bnb_4bit_compute_dtype == torch.bfloat16
