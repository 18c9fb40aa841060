"""Tiny ONNX models, made from torch without the onnx package."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn
from torch.onnx._internal.torchscript_exporter import onnx_proto_utils


def export(
    module: nn.Module,
    inputs: Tensor | tuple[Tensor, ...],
    path: Path,
    names: Sequence[str] = ("image",),
    outputs: Sequence[str] = ("classes",),
    free: dict[str, list[int]] | None = None,
) -> Path:
    """Write a module as ONNX.

    Args:
        module: What it computes.
        inputs: Examples of the shapes.
        path: Of the file.
        names: Of the inputs.
        outputs: Of the outputs.
        free: Dimensions of an input that have no fixed size; the batch where nothing is said.
    """
    axes = {name: [0] for name in names} if free is None else free
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    # Without functions of onnxscript in the graph the step that needs onnx changes nothing.
    unchanged = mock.patch.object(onnx_proto_utils, "_add_onnxscript_fn", lambda model, _: model)
    with warnings.catch_warnings(), unchanged:
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            given,
            str(path),
            dynamo=False,
            input_names=list(names),
            output_names=list(outputs),
            dynamic_axes=axes,
        )
    return path


class ByBrightness(nn.Module):
    """Gives class i a score that grows with the brightness of stripe i of the picture."""

    def __init__(self, classes: int, last: bool = False, softmax: bool = False) -> None:
        super().__init__()
        self.classes, self.last, self.softmax = classes, last, softmax

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, S, S), or (B, S, S, C) with `last`, -> (B, classes)."""
        grey = image.float().mean(3 if self.last else 1)
        side = int(grey.shape[1])
        edges = [round(i * side / self.classes) for i in range(self.classes + 1)]
        rows = [grey[:, top:end].mean((1, 2)) for top, end in pairwise(edges)]
        scores = torch.stack(rows, 1)
        return scores.softmax(1) if self.softmax else scores
