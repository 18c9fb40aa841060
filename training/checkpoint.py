"""Resumable training state as safetensors and JSON; no pickle.

A checkpoint is one ``NAME.safetensors`` file: tensors of the modules and of the
optimizer, and the progress as JSON in its metadata. It is replaced atomically, so a
kill at any moment leaves a whole one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn, optim


def save_checkpoint(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizer: optim.Optimizer,
    progress: Mapping[str, Any],
) -> None:
    """Write the trainable and buffer state of `modules`, the optimizer and the progress."""
    tensors: dict[str, Tensor] = {}
    for name, module in modules.items():
        for key, value in _state(module).items():
            tensors[f"{name}/{key}"] = value.detach().cpu().contiguous().clone()
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{index}/{key}"] = value.detach().cpu().contiguous().clone()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"progress": json.dumps(dict(progress))})
    os.replace(partial, path)


def load_checkpoint(
    path: Path, modules: Mapping[str, nn.Module], optimizer: optim.Optimizer | None = None
) -> dict[str, Any]:
    """Restore what `save_checkpoint` wrote, in place, and return the progress.

    Raises:
        ValueError: the checkpoint belongs to a model of another shape.
    """
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
        progress: dict[str, Any] = json.loads(file.metadata()["progress"])
    for name, module in modules.items():
        own = _state(module)
        saved = {k.removeprefix(f"{name}/"): v for k, v in tensors.items() if _of(k, name)}
        if {k: v.shape for k, v in saved.items()} != {k: v.shape for k, v in own.items()}:
            raise ValueError(f"{path} was written by a {name} of another shape; delete it")
        module.load_state_dict(saved, strict=False)
    if optimizer is not None:
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if _of(key, "optimizer"):
                _, index, field = key.split("/")
                state.setdefault(int(index), {})[field] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    return progress


def _of(key: str, name: str) -> bool:
    return key.startswith(f"{name}/")


def _state(module: nn.Module) -> dict[str, Tensor]:
    """Buffers and trained parameters: a frozen base model is not copied into checkpoints."""
    state = module.state_dict(keep_vars=True)  # tied weights show under each of their names
    return {
        key: value.detach()
        for key, value in state.items()
        if not isinstance(value, nn.Parameter) or value.requires_grad
    }
