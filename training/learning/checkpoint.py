"""Resumable training state as safetensors and JSON; no pickle.

A checkpoint is one ``NAME.safetensors`` file: tensors of the modules and of the
optimizer, and the progress as JSON in its metadata. It is replaced atomically, so a
kill at any moment leaves a whole one. Sharded parameters (FSDP) are gathered: a
checkpoint can be read by another number of processes than wrote it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn, optim
from torch.distributed.tensor import DTensor, distribute_tensor

from stream.errors import UserError


def save_checkpoint(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizer: optim.Optimizer,
    progress: Mapping[str, Any],
    *,
    owner: str = "",
    write: bool = True,
) -> None:
    """Write the trainable and buffer state of `modules`, the optimizer and the progress.

    Args:
        path: Of the checkpoint.
        modules: By the name that they have in the file.
        optimizer: Of their parameters.
        progress: JSON-safe.
        owner: Names what the state belongs to; reading it for another owner is refused.
        write: Whether this process writes; all must call, since gathering is collective.

    Raises:
        UserError: the file cannot be written, as on a full disk; the last one stays.
    """
    tensors: dict[str, Tensor] = {}
    for name, module in modules.items():
        for key, value in trained_state(module).items():
            tensors[f"{name}/{key}"] = gathered(value)
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{index}/{key}"] = gathered(value)
    if not write:
        return
    write_tensors(path, tensors, {"progress": json.dumps(dict(progress)), "owner": owner})


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file in one step: a kill leaves the old one or the new one, whole.

    Raises:
        UserError: it cannot be written, as on a full disk; the old one stays.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(dict(tensors), partial, metadata=metadata)
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise UserError(
            f"{path} could not be written ({error}): make room there and start the same "
            "command again; it goes on from the last checkpoint"
        ) from error


def require_finite(what: str, tensors: Mapping[str, Tensor]) -> None:
    """Refuse weights that are no numbers, before they are kept as a result.

    Raises:
        UserError: A tensor has NaN or an infinity.
    """
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise UserError(
                f"{what} has not learned: its weights are no numbers ({name}); take damaged clips "
                "or measures out (python -m training.check finds clips), and start the same "
                "command again"
            )


def load_checkpoint(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizer: optim.Optimizer | None = None,
    *,
    owner: str = "",
) -> dict[str, Any]:
    """Restore what `save_checkpoint` wrote, in place, and return the progress.

    Raises:
        UserError: the checkpoint is damaged, or belongs to another owner or to a model of
            another shape; nothing is changed then.
    """
    tensors, progress, wrote = _read(path)
    if wrote != owner:
        raise UserError(
            f"{path} was written by a training with another recipe, seed or model, or after "
            "another stage 1: give another --runs, or delete it to begin anew"
        )
    for name, module in modules.items():
        own = trained_state(module)
        saved = {k.removeprefix(f"{name}/"): v for k, v in tensors.items() if _of(k, name)}
        if {k: v.shape for k, v in saved.items()} != {k: v.shape for k, v in own.items()}:
            raise UserError(f"{path} was written by a {name} of another shape; delete it")
    for name, module in modules.items():
        _copy(tensors, name, trained_state(module))
    if optimizer is not None:
        _load_optimizer(optimizer, tensors)
    return progress


def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """Buffers and trained parameters: a frozen base model is not copied into checkpoints.

    Nor are the scales of its 4-bit weights, which bitsandbytes puts in the state as well.
    """
    state = module.state_dict(keep_vars=True)  # tied weights show under each of their names
    buffers = {name for name, _ in module.named_buffers(remove_duplicate=False)}
    return {
        key: value.detach()
        for key, value in state.items()
        if key in buffers or (isinstance(value, nn.Parameter) and value.requires_grad)
    }


def gathered(value: Tensor) -> Tensor:
    """A copy on the CPU; of a sharded tensor all of it, which is collective."""
    whole = value.full_tensor() if isinstance(value, DTensor) else value
    return whole.detach().cpu().contiguous().clone()


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], str]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}
            metadata = file.metadata() or {}
            return tensors, json.loads(metadata["progress"]), metadata.get("owner", "")
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise UserError(f"{path} is no checkpoint ({error}): delete it to begin anew") from error


@torch.no_grad()
def _copy(tensors: Mapping[str, Tensor], name: str, state: Mapping[str, Tensor]) -> None:
    for key, own in state.items():
        own.copy_(_like(tensors[f"{name}/{key}"], own))


def _load_optimizer(optimizer: optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if _of(key, "optimizer"):
            _, index, field = key.split("/")
            parameter = parameters[int(index)]
            shaped = value.shape == parameter.shape
            state.setdefault(int(index), {})[field] = _like(value, parameter) if shaped else value
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )


def _like(saved: Tensor, own: Tensor) -> Tensor:
    """Sharded as `own` is."""
    if isinstance(own, DTensor):
        return distribute_tensor(saved.to(own.device), own.device_mesh, own.placements)
    return saved


def _of(key: str, name: str) -> bool:
    return key.startswith(f"{name}/")
