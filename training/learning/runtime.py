"""Where a training runs: one CPU or GPU, or many under `accelerate launch` or `torchrun`.

Hugging Face Accelerate finds out; what this module adds is that each process computes its
share of the same batches, so that the number of processes does not change the result.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs, gather_object
from torch import nn

from stream.errors import UserError
from training.progress import console
from training.settings import TrainerSettings

Item = TypeVar("Item")

PATIENCE = timedelta(hours=12)
"""How long a process waits for the others: one may have more clips left to encode than another,
and the default of ten minutes on GPUs would end the training then."""


class Runtime:
    """One process of a training."""

    def __init__(self, settings: TrainerSettings, out: Path) -> None:
        """Join the other processes, if there are any.

        Args:
            settings: Of the recipe.
            out: Of the stage; TensorBoard's files go to `logs` beside it.

        Raises:
            UserError: Weights & Biases is asked for and not installed.
        """
        if settings.wandb and importlib.util.find_spec("wandb") is None:
            raise UserError("trainer.wandb is on but wandb is missing: pip install wandb")
        trackers = ["tensorboard", *(["wandb"] if settings.wandb else [])]
        # Words alone touch no adapter, so not every parameter has a gradient in every update.
        unused = DistributedDataParallelKwargs(find_unused_parameters=True)
        self.accelerator = Accelerator(
            cpu=not torch.cuda.is_available(),
            log_with=trackers,
            project_dir=str(out.parent / "logs"),
            kwargs_handlers=[unused, InitProcessGroupKwargs(timeout=PATIENCE)],
        )
        self.device = self.accelerator.device
        self.processes = self.accelerator.num_processes
        self.process = self.accelerator.process_index
        # Of this machine, by what torchrun and accelerate launch tell each process.
        self.local_processes = max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
        self.is_main = self.accelerator.is_main_process

    def prepare(
        self, module: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """On the device of this process, replicated or sharded as the launcher says."""
        prepared: tuple[nn.Module, torch.optim.Optimizer]
        prepared = self.accelerator.prepare(module, optimizer)
        return prepared

    def start_trackers(self, name: str, settings: Any) -> None:
        """Begin to log; `settings` is a dataclass of hyper-parameters."""
        values = dataclasses.asdict(settings)
        plain = {k: v if isinstance(v, (int, float, str)) else str(v) for k, v in values.items()}
        self.accelerator.init_trackers(name, config=plain)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """To TensorBoard, and Weights & Biases where it is on."""
        self.accelerator.log(dict(values), step=step)

    def say(self, message: str) -> None:
        """One line, from the main process."""
        if self.is_main:
            console.print(message)

    def total(self, value: float) -> float:
        """The sum over processes."""
        if self.processes == 1:
            return value
        number = torch.tensor(value, dtype=torch.float64, device=self.device)
        return float(self.accelerator.reduce(number, "sum"))

    def gather(self, values: list[Any]) -> list[Any]:
        """The values of all processes, in the order of processes."""
        return values if self.processes == 1 else list(gather_object(values))

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items of this process, where each does a part of some work."""
        return items[self.process :: self.processes]

    def wait(self) -> None:
        """Until every process is here."""
        self.accelerator.wait_for_everyone()

    def close(self) -> None:
        """Flush the trackers; the processes stay together, since another training may follow."""
        self.wait()
        for tracker in self.accelerator.trackers:
            tracker.finish()
