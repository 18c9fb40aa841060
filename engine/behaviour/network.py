"""A landmark network in TensorFlow Lite form: one square picture in, named tensors out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.faces.network import load_interpreter
from stream.errors import UserError

LOGIT_LIMIT = 80.0
"""Logits are clipped to this before the sigmoid, so that it stays in float32."""


class Network:
    """Runs one network on one thread. Not for several threads at once."""

    def __init__(
        self, path: Path, side: int, outputs: Mapping[str, tuple[int, ...]], model: str
    ) -> None:
        """Load the network.

        Args:
            path: Its file.
            side: Of its input, pixels.
            outputs: Shapes of the tensors that are used, by name.
            model: Name in `export.registry`, for the message.

        Raises:
            UserError: If the file is missing, damaged or another network.
        """
        self._network = load_interpreter(path, f"the network {path}", _advice(model))
        (taken,) = self._network.get_input_details()
        given = {item["name"]: item for item in self._network.get_output_details()}
        shapes = {name: tuple(item["shape"].tolist()) for name, item in given.items()}
        if taken["shape"].tolist() != [1, side, side, 3] or not outputs.items() <= shapes.items():
            raise UserError(f"{path} is another network than expected: {_advice(model)}")
        self.side = side
        self._input = taken["index"]
        self._outputs = {name: given[name]["index"] for name in outputs}

    def __call__(self, pixels: NDArray[np.floating[Any]]) -> dict[str, NDArray[np.float32]]:
        """Run the network.

        Args:
            pixels: Shape (S, S, 3), in the range that the network was trained on.

        Returns:
            The tensors by name.
        """
        self._network.set_tensor(self._input, np.asarray(pixels[None], np.float32))
        self._network.invoke()
        return {name: self._network.get_tensor(index) for name, index in self._outputs.items()}


def _advice(model: str) -> str:
    return f"fetch it with `python -m export.models {model}`"


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits to probabilities."""
    limited = np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT)
    return np.asarray(1 / (1 + np.exp(-limited)), np.float32)
