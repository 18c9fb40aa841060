"""How much the encoders' evidence counts: set in a loaded model, and written to a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.model.recognizer import Recognizer
from training.learning.checkpoint import write_tensors

FUSION = "fusion.safetensors"


@torch.no_grad()
def set_evidence_weights(recognizer: Recognizer, weights: Mapping[str, Tensor]) -> None:
    """Let sources count so much from now on.

    Args:
        recognizer: Whose spec has these sources.
        weights: (E,) by the name of a source.
    """
    for name, values in weights.items():
        recognizer.model.fusion.evidence_weights[name].copy_(values)


def write_evidence_weights(recognizer: Recognizer, folder: Path) -> None:
    """Write them into the fusion of a bundle that is sealed afterwards; all else stays."""
    tensors = load_file(folder / FUSION)
    for name, values in recognizer.model.fusion.evidence_weights.items():
        key = f"evidence_weights.{name}"
        kind = tensors[key].dtype if key in tensors else torch.float32
        tensors[key] = values.detach().cpu().to(kind).contiguous()
    write_tensors(folder / FUSION, tensors)
