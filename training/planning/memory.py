"""Memory of a GPU in training: what is known exactly, and activations by a formula.

Weights, gradients and optimizer follow from the parameters. Activations are what autograd
keeps of each layer for the backward pass of a LLaMA with LoRA, counted on the modules of
transformers and peft (tests/training/planning/test_plan_memory.py compares); Korthikanti et al.,
2022, arXiv 2205.05198, section 4, count GPT's layer in the same way. In bytes per token
and layer, with width H, attention width A, keys K, intermediate I, rank r, h heads, b bytes
per number:

    norms         4 (2 H + 2)            inputs, brought to fp32
    attention     b (2 A + 2 K) + 4 h    queries, keys, values, output, one sum per head
    MLP           3 b I                  gate, its activation, up
    LoRA          4 r for each matrix, and its inputs: in fp32 those of the layer,
                  4 (2 H + I); in bf16 each matrix keeps a copy of its own in fp32

With checkpointing only b H of each layer is kept, and one layer at a time is whole again.
What is not in it: fragmentation, and work space beyond `OVERHEAD_BYTES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.model.spec import LlmSpec
from training.learning.cost import attention_width
from training.planning.parameters import Parameters
from training.settings import TrainerSettings

BYTES = {"fp32": 4, "bf16": 2}
"""Of a number, by precision."""
NF4_BYTES = 4.127 / 8
"""Of a weight in 4 bits with double quantisation (Dettmers et al., 2023, arXiv 2305.14314,
section 3)."""
OVERHEAD_BYTES = 1_000_000_000
"""Of CUDA's context, its libraries and their work space. Ours."""


@dataclass(frozen=True)
class BatchShape:
    """The largest batch of a stage."""

    padded_tokens: int
    logits: int
    """Tokens that are predicted out of the whole vocabulary."""


@dataclass(frozen=True)
class Memory:
    """Bytes on each GPU."""

    weights: float
    gradients: float
    optimizer: float
    """AdamW's two moments in fp32."""
    activations: float
    logits: float
    """Scores of the vocabulary in fp32, their softmax and their gradient."""
    overhead: float = OVERHEAD_BYTES

    @property
    def total(self) -> float:
        """All of it."""
        parts = (self.weights, self.gradients, self.optimizer, self.activations, self.logits)
        return sum(parts) + self.overhead


def estimate_memory(
    parameters: Parameters,
    config: Any,
    lora: LlmSpec,
    trainer: TrainerSettings,
    batch: BatchShape,
    shards: int = 1,
) -> Memory:
    """Estimate the peak on each GPU.

    Args:
        parameters: Of the model; encoders are not on the GPU, their features are cached.
        config: Of the base.
        lora: Of the spec.
        trainer: Precision, quantisation and checkpointing.
        batch: The largest of the stage, or on several GPUs the part of it that one has.
        shards: GPUs that FSDP spreads weights, gradients and optimizer over; 1 for DDP,
            where each GPU has all of it.
    """
    precision = BYTES[trainer.precision]
    each_matrix = NF4_BYTES if trainer.quantization == "4bit" else precision
    in_layers = parameters.base_matrices * each_matrix
    others = (parameters.base - parameters.base_matrices) * precision
    trained = 4 * parameters.trained
    # FSDP gathers one layer at a time, and embeddings and head for the whole step.
    gathered = in_layers / config.num_hidden_layers + others if shards > 1 else 0
    return Memory(
        weights=(in_layers + others + trained) / shards + gathered,
        gradients=trained / shards,
        optimizer=2 * trained / shards,
        activations=batch.padded_tokens * activation_bytes(config, lora, trainer),
        logits=batch.logits * config.vocab_size * 3 * 4,
    )


def activation_bytes(config: Any, lora: LlmSpec, trainer: TrainerSettings) -> float:
    """Bytes that autograd keeps of each padded token; see the module."""
    layers = config.num_hidden_layers
    adapted = layers - lora.lora_first_layer if lora.lora_rank else 0
    precision = BYTES[trainer.precision]
    bare = _layer_bytes(config, precision)
    extra = _lora_bytes(config, lora, precision)
    if trainer.checkpoint_activations:
        return float(layers * precision * config.hidden_size + bare + (extra if adapted else 0))
    return float(layers * bare + adapted * extra)


def _layer_bytes(config: Any, precision: int) -> float:
    attention = attention_width(config)
    keys = attention * _key_heads(config) // config.num_attention_heads
    norms = 4 * (2 * config.hidden_size + 2)
    attended = precision * (2 * attention + 2 * keys) + 4 * config.num_attention_heads
    return float(norms + attended + 3 * precision * config.intermediate_size)


def _lora_bytes(config: Any, lora: LlmSpec, precision: int) -> float:
    width, intermediate = config.hidden_size, config.intermediate_size
    special = {"o_proj": attention_width(config), "down_proj": intermediate}
    if precision == 4:
        inputs = 2 * width + intermediate
    else:
        inputs = sum(special.get(target, width) for target in lora.lora_targets)
    return float(4 * (inputs + lora.lora_rank * len(lora.lora_targets)))


def _key_heads(config: Any) -> int:
    return int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
