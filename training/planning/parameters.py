"""Every parameter of a model, counted on modules that have shapes but no weights.

PyTorch's meta device builds the real modules without memory, so the counts are exact and
a model of seven billion takes seconds. `training.planning.shapes` says where the shape of a base
comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from engine.model.densenet import DenseNet
from engine.model.encoders import SpeechEncoder
from engine.model.fusion import Fusion
from engine.model.model import add_lora
from engine.model.spec import LlmSpec, ModelSpec
from training.learning.objectives import PLACEHOLDERS

_LAYER = re.compile(r"\.(\d+)\.")


@dataclass(frozen=True)
class Parameters:
    """Numbers of parameters of a model."""

    base: int
    """Of the LLM; frozen."""
    base_matrices: int
    """Of them in the matrices of its layers, which 4-bit quantisation packs."""
    lora: int
    """Trained."""
    fusion: int
    """Adapters, learned tokens and weights of the evidence; trained."""
    placeholders: int
    """What stands for video and audio tokens in stage 1; trained there."""
    encoders: int
    """Of the DenseNet and the speech encoder; frozen unless asked otherwise."""

    @property
    def trained(self) -> int:
        """All that is not frozen."""
        return self.lora + self.fusion + self.placeholders

    @property
    def total(self) -> int:
        """Of everything."""
        return self.base + self.trained + self.encoders


def count_parameters(spec: ModelSpec, llm: nn.Module) -> Parameters:
    """Count the parameters of a spec on an LLM that `language_model` made."""
    lora = sum(p.numel() for p in llm.parameters() if p.requires_grad)
    frozen = [w for name, w in matrices(llm) if layer_of(name) is not None and not w.requires_grad]
    with torch.device("meta"):
        parts: list[nn.Module] = [DenseNet(spec.video.densenet)]
        if spec.audio.hidden:
            parts.append(SpeechEncoder.of(spec.audio, len(spec.labels)))
        fusion = _size(Fusion(spec))
    return Parameters(
        base=_size(llm) - lora,
        base_matrices=sum(weight.numel() for weight in frozen),
        lora=lora,
        fusion=fusion,
        placeholders=len(PLACEHOLDERS) * spec.llm.hidden_size,
        encoders=sum(_size(part) for part in parts),
    )


def language_model(config: Any, lora: LlmSpec) -> Any:
    """The base LLM, frozen, with LoRA on it, on the meta device.

    Raises:
        ValueError: The base has no such layers.
    """
    with torch.device("meta"):
        llm = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
        llm.requires_grad_(False)
        return add_lora(llm, lora) if lora.lora_rank else llm


def matrices(llm: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Name and weight of every linear map."""
    for name, module in llm.named_modules():
        if isinstance(module, nn.Linear | Conv1D):
            yield name, module.weight


def layer_of(name: str) -> int | None:
    """Layer that a module belongs to; None outside the layers, as of the head."""
    found = _LAYER.search(name)
    return int(found[1]) if found else None


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
