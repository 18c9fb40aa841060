"""Activations are those that autograd keeps, and shards share what can be shared."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from engine.model.model import add_lora
from engine.model.spec import LlmSpec
from training.planning.memory import (
    OVERHEAD_BYTES,
    BatchShape,
    activation_bytes,
    estimate_memory,
)
from training.planning.parameters import Parameters
from training.settings import TrainerSettings

LORA = LlmSpec(base="tiny", hidden_size=64, lora_rank=4, lora_first_layer=0)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
TOKENS = 96


def shape(layers: int) -> LlamaConfig:
    """A small LLaMA with fewer keys than queries."""
    return LlamaConfig(
        vocab_size=96,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
    )


def kept_bytes(layers: int, trainer: TrainerSettings) -> int:
    """What autograd keeps of the decoder for the backward pass, but for its parameters."""
    llm = AutoModelForCausalLM.from_config(shape(layers), dtype=DTYPES[trainer.precision])
    llm.requires_grad_(False)
    if trainer.checkpoint_activations:
        llm.model.gradient_checkpointing = True
        for layer in llm.model.layers:
            layer.gradient_checkpointing = True
            layer._gradient_checkpointing_func = _checkpoint
    model = add_lora(llm, LORA).train()
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    inputs = torch.randn(1, TOKENS, 64, dtype=DTYPES[trainer.precision], requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model.get_decoder()(inputs_embeds=inputs, use_cache=False)
    return sum(storage.nbytes() for storage in kept.values())


def _checkpoint(function: Any, *arguments: Any, **named: Any) -> Any:
    return torch.utils.checkpoint.checkpoint(function, *arguments, use_reentrant=False, **named)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("checkpointed", [False, True])
def test_a_layer_keeps_what_the_formula_says(precision: str, checkpointed: bool) -> None:
    """Of one more layer autograd keeps just these bytes per token."""
    trainer = TrainerSettings(precision=precision, checkpoint_activations=checkpointed)
    measured = (kept_bytes(3, trainer) - kept_bytes(2, trainer)) / TOKENS
    computed = activation_bytes(shape(3), LORA, trainer) - activation_bytes(shape(2), LORA, trainer)
    assert computed == pytest.approx(measured, rel=0.01)


PARAMETERS = Parameters(
    base=1000, base_matrices=800, lora=40, fusion=10, placeholders=0, encoders=500
)


def test_what_follows_from_the_parameters() -> None:
    """Frozen weights by precision, trained ones with gradient and two moments in fp32."""
    batch = BatchShape(padded_tokens=0, logits=5)
    trainer = TrainerSettings(precision="bf16")
    memory = estimate_memory(PARAMETERS, shape(2), LORA, trainer, batch)
    assert memory.weights == 2 * 1000 + 4 * 50
    assert memory.gradients == 4 * 50
    assert memory.optimizer == 8 * 50
    assert memory.logits == 5 * 96 * 12
    assert memory.total == 2200 + 200 + 400 + 5760 + OVERHEAD_BYTES
    four_bit = dataclasses.replace(trainer, quantization="4bit")
    packed = estimate_memory(PARAMETERS, shape(2), LORA, four_bit, batch)
    assert packed.weights == pytest.approx(800 * 0.516 + 2 * 200 + 4 * 50, rel=1e-3)


def test_shards_share_all_but_activations() -> None:
    """On four GPUs a quarter of the weights and one gathered layer; activations are one's own."""
    batch = BatchShape(padded_tokens=100, logits=0)
    whole = estimate_memory(PARAMETERS, shape(2), LORA, TrainerSettings(), batch)
    shard = estimate_memory(PARAMETERS, shape(2), LORA, TrainerSettings(), batch, shards=4)
    assert shard.optimizer == whole.optimizer / 4
    assert shard.gradients == whole.gradients / 4
    assert shard.weights == whole.weights / 4 + 4 * 800 / 2 + 4 * 200
    assert shard.activations == whole.activations > 0
