"""What a stage of training costs: time, tokens, updates, floating-point operations, memory.

    meter = CostMeter("stage2", earlier=StageCost.from_dict(saved) if saved else None)
    flops = llm_flops_per_token(model.llm.config, spec.llm, training=True)
    for batch in batches:
        ...
        meter.add_batch(tokens, padded, flops.of_batch(padded, context=longest))
    meter.cost.to_dict()

Operations are not measured but computed, from what is multiplied. A token that meets a
matrix of p parameters takes 2 p operations (Kaplan et al., 2020, arXiv 2001.08361,
section 2.1); a token that attends to T positions takes 4 T w in each layer of attention
width w (Chowdhery et al., 2022, arXiv 2204.02311, appendix B, where nothing is taken off
for the causal mask, as kernels that skip it are not everywhere). The backward pass of a
matrix takes as much for its input's gradient and again for its own; a frozen matrix has
none of its own, so its backward costs as much as its forward and not twice that. Norms,
activations and the look-up of embeddings are left out, as in both papers.
"""

from __future__ import annotations

import dataclasses
import math
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch

from engine.model.spec import LlmSpec
from engine.model.typed import build, require
from training.planning.parameters import language_model, layer_of, matrices


@dataclass(frozen=True)
class StageCost:
    """What one process spent on a stage; runs that were resumed are added up."""

    name: str
    """Of the stage."""
    seconds: float = 0.0
    """Wall time."""
    tokens: int = 0
    """Without padding."""
    padded_tokens: int = 0
    """With padding."""
    updates: int = 0
    """Of the weights."""
    flops: float = 0.0
    """Floating-point operations, computed; see the module."""
    peak_memory_bytes: int = 0
    """CUDA: the most that was allocated at once. CPU: the most that the process held at once,
    from its start."""

    def __post_init__(self) -> None:
        """Refuse figures that nothing can have cost."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            sensible = isinstance(value, str) or (math.isfinite(value) and value >= 0)
            require(sensible, f"cost.{field.name} {value!r}: 0 or more")
        require(self.tokens <= self.padded_tokens, "cost.padded_tokens: at least cost.tokens")

    def to_dict(self) -> dict[str, Any]:
        """As JSON-safe values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> StageCost:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: A key is unknown or missing, or a value has the wrong type or range.
        """
        return cast(StageCost, build(cls, values, "cost"))


class CostMeter:
    """Counts what a stage costs, from now on.

    Args:
        name: Of the stage.
        clock: Gives seconds.
        earlier: What the stage had cost when the run that is resumed was saved.
        device: Whose memory is watched.

    Raises:
        ValueError: `earlier` is of another stage.
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], float] = time.perf_counter,
        earlier: StageCost | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self._earlier = earlier or StageCost(name)
        if self._earlier.name != name:
            raise ValueError(f"the cost of {self._earlier.name} is not continued by {name}")
        self._clock = clock
        self._start = clock()
        self._device = torch.device(device)
        self._tokens = self._padded = self._updates = 0
        self._flops = 0.0
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)

    def add_batch(self, tokens: int, padded_tokens: int, flops: float) -> None:
        """Count one forward and backward pass."""
        self._tokens += tokens
        self._padded += padded_tokens
        self._flops += flops

    def add_update(self) -> None:
        """Count one update of the weights, after one or more batches."""
        self._updates += 1

    @property
    def cost(self) -> StageCost:
        """Up to now; may be asked at any time, as for a checkpoint."""
        before = self._earlier
        return StageCost(
            name=before.name,
            seconds=before.seconds + self._clock() - self._start,
            tokens=before.tokens + self._tokens,
            padded_tokens=before.padded_tokens + self._padded,
            updates=before.updates + self._updates,
            flops=before.flops + self._flops,
            peak_memory_bytes=max(before.peak_memory_bytes, peak_memory_bytes(self._device)),
        )


def peak_memory_bytes(device: torch.device) -> int:
    """CUDA: the most allocated since the last reset; else the process's peak resident set."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # getrusage(2): KiB, macOS bytes


@dataclass(frozen=True)
class TokenFlops:
    """Floating-point operations of one token."""

    matrices: float
    """In the layers' matrices, whatever the context."""
    attention: float
    """Per position that is attended to."""
    logits: float
    """Where scores of the whole vocabulary are computed."""

    def of_batch(self, padded_tokens: int, context: float, logits: int = 0) -> float:
        """Of a batch.

        Args:
            padded_tokens: All that is computed, padding included.
            context: Length of the padded sequences.
            logits: Tokens whose scores of the whole vocabulary are computed; the few labels
                of a cue are not worth counting.
        """
        each = self.matrices + self.attention * context
        return padded_tokens * each + logits * self.logits


def llm_flops_per_token(
    config: Any,
    lora: LlmSpec,
    training: bool,
    *,
    trained_inputs: bool = True,
    recompute: bool = False,
) -> TokenFlops:
    """Operations of one token in a base LLM with LoRA, from its shape alone.

    Args:
        config: Of transformers, of a dense decoder.
        lora: Rank, layers and matrices of LoRA; rank 0 for none.
        training: With the backward pass.
        trained_inputs: Whether the embeddings that come in have a gradient, as those of the
            adapters have; if not, the backward pass ends at the first layer with LoRA.
        recompute: Whether activations are computed again in the backward pass.
    """
    llm = language_model(config, lora)
    lowest = 0 if trained_inputs else lora.lora_first_layer
    return model_flops_per_token(llm, training, lowest=lowest, recompute=recompute)


def model_flops_per_token(
    llm: Any, training: bool, *, lowest: int = 0, recompute: bool = False
) -> TokenFlops:
    """As `llm_flops_per_token`, of a model that is there already, maybe without weights.

    Args:
        llm: A causal LM of transformers, with or without LoRA on it, not quantised.
        training: With the backward pass.
        lowest: Layer that the backward pass goes down to.
        recompute: Whether activations are computed again in the backward pass.
    """
    config, in_matrices, in_attention = llm.config, 0.0, 0.0
    for name, weight in matrices(llm):
        layer = layer_of(name)
        if layer is not None:
            passes = _passes(training and layer >= lowest, weight.requires_grad, recompute)
            in_matrices += 2 * weight.numel() * passes
    for layer in range(config.num_hidden_layers):
        # Both operands of each product need a gradient: backward is twice forward.
        passes = _passes(training and layer >= lowest, True, recompute)
        in_attention += 4 * attention_width(config) * passes
    head = llm.get_output_embeddings().weight.numel()
    return TokenFlops(in_matrices, in_attention, 2 * head * _passes(training, False, False))


def _passes(backward: bool, trained: bool, recompute: bool) -> int:
    """How often what the forward pass multiplies is multiplied in all."""
    return 1 + (1 + trained + recompute if backward else 0)


def attention_width(config: Any) -> int:
    """Width of all heads together, which is not always that of the embeddings."""
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    return int(heads * size)
