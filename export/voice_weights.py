"""Turn Resemblyzer's checkpoint into one ONNX file, once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.onnx_graph import Node, onnx_bytes

VOICE_FILE = "speaker_embedding.onnx"
"""Takes `mel` (B, T, 40), gives `voice` (B, 256), at least 0 and not yet of length 1."""
LAYERS = 3

Weights = Mapping[str, NDArray[np.float32]]


def voice_network(checkpoint: Path, folder: Path) -> None:
    """Write the network of a checkpoint: three LSTM layers, then one linear layer (ReLU).

    Args:
        checkpoint: Resemblyzer's `pretrained.pt`; loaded as tensors, never as code.
        folder: Where the file goes; made if missing.
    """
    # torch takes seconds to import, and only the preparation needs it.
    import torch

    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["model_state"]
    weights = {name: np.asarray(tensor.numpy(), np.float32) for name, tensor in state.items()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / VOICE_FILE).write_bytes(_network(weights))


def _network(state: Weights) -> bytes:
    weights: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {
        "linear.weight": state["linear.weight"],
        "linear.bias": state["linear.bias"],
        "directions": np.array([1], np.int64),
        "layers": np.array([0], np.int64),
    }
    for layer in range(LAYERS):
        weights |= dict(_lstm_weights(state, layer))
    features = state["lstm.weight_ih_l0"].shape[1]
    size = len(state["linear.bias"])
    return onnx_bytes(
        list(_nodes(state["lstm.weight_hh_l0"].shape[1])),
        weights,
        {"mel": ("batch", "frames", features)},
        {"voice": ("batch", size)},
    )


def _nodes(hidden: int) -> Iterator[Node]:
    yield Node("Transpose", ["mel"], ["sequence0"], {"perm": (1, 0, 2)})
    for layer in range(LAYERS):
        inputs = [f"{name}{layer}" for name in ("sequence", "input", "recurrent", "bias")]
        outputs = [f"states{layer}", f"last{layer}"]
        yield Node("LSTM", inputs, outputs, {"hidden_size": hidden})
        yield Node("Squeeze", [outputs[0], "directions"], [f"sequence{layer + 1}"])
    yield Node("Squeeze", [f"last{LAYERS - 1}", "layers"], ["hidden"])
    yield Node("Gemm", ["hidden", "linear.weight", "linear.bias"], ["linear"], {"transB": 1})
    yield Node("Relu", ["linear"], ["voice"])


def _lstm_weights(state: Weights, layer: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The tensors of a layer, shapes (1, 4H, ...) and (1, 8H), with their names."""

    def gates(name: str) -> NDArray[np.float32]:
        # torch has input, forget, cell, output; ONNX input, output, forget, cell.
        first, forget, cell, output = np.split(state[f"lstm.{name}_l{layer}"], 4)
        return np.concatenate([first, output, forget, cell])

    yield f"input{layer}", gates("weight_ih")[None]
    yield f"recurrent{layer}", gates("weight_hh")[None]
    yield f"bias{layer}", np.concatenate([gates("bias_ih"), gates("bias_hh")])[None]
