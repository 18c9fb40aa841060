"""The one training loop of both stages: epochs of batches, checkpoints, the best on dev.

An update is `accumulate` batches, however many processes there are: they share out the
sequences of each batch. The loss of an update is the mean over all that its batches count,
wherever they lie, so any number of processes does the same updates as one.
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from stream.errors import UserError
from training.learning.average import MovingAverage
from training.learning.batching import make_batches
from training.learning.checkpoint import load_checkpoint, save_checkpoint
from training.learning.cost import CostMeter, StageCost, llm_flops_per_token
from training.learning.objectives import Objectives
from training.learning.runtime import Runtime
from training.learning.schedule import set_learning_rates
from training.learning.sequences import AnySequence
from training.progress import progress_bar
from training.settings import TrainerSettings

CHECKPOINT = "last.safetensors"
CLIP_NORM = 1.0
"""Of the gradients of all trained parameters together."""


@dataclass(frozen=True)
class Epoch:
    """One pass over some sequences."""

    name: str
    """For a person, such as `stage 2, words 1/2`."""
    sequences: Callable[[random.Random], Sequence[AnySequence]]
    """Makes them; the generator depends on the seed and the number of the epoch alone."""
    batch_tokens: int
    frozen_inputs: bool = False
    """Whether the input embeddings are given no gradient."""
    candidate: bool = True
    """Whether its weights may be the result."""


@dataclass(frozen=True, eq=False)
class Training:
    """What a stage gives the loop."""

    name: str
    objectives: Objectives
    optimizer: torch.optim.Optimizer
    epochs: Sequence[Epoch]
    dev: Callable[[nn.Module, Runtime], float]
    """Figure on dev after an epoch, higher is better; called on every process."""
    save: Callable[[], None]
    """Writes the result; called on every process, since gathering shards is collective."""
    settings: TrainerSettings
    out: Path
    owner: str
    """Names recipe, model and seed: a checkpoint of another is refused."""
    seed: int = 1
    average_decay: float = 0.0
    """Of the moving average that is scored and saved; 0: the weights themselves are."""


@dataclass
class Progress:
    """Where a training is; what a checkpoint remembers besides weights."""

    epoch: int = 0
    batches: int = 0
    """Done in this epoch; on any number of processes, so that another number can go on."""
    updates: int = 0
    """In all."""
    losses: tuple[float, int] = (0.0, 0)
    """Sum over the updates of this epoch, and how many they are."""
    best: float | None = None
    chosen: str = ""
    """Name of the best epoch."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """`name`, `loss` and `dev` of every finished epoch."""
    cost: dict[str, Any] | None = None
    """Of a `StageCost`."""


def fit(training: Training, runtime: Runtime) -> Progress:
    """Train, resuming from the last checkpoint; the best candidate on dev is saved."""
    loop = _Loop(training, runtime)
    for index in range(loop.progress.epoch, len(training.epochs)):
        loop.run(training.epochs[index])
        loop.finish(training.epochs[index])
    return loop.progress


class _Loop:
    """The state of one call of `fit`."""

    def __init__(self, training: Training, runtime: Runtime) -> None:
        """Prepare the module for the processes, and read the last checkpoint."""
        self.training, self.runtime = training, runtime
        self.wrapped, self.optimizer = runtime.prepare(training.objectives, training.optimizer)
        self._average: MovingAverage | None = None
        if training.average_decay:
            self._average = MovingAverage(self._trained, training.average_decay)
        self.progress = Progress()
        self._checkpoint = training.out / CHECKPOINT
        if self._checkpoint.exists():
            saved = load_checkpoint(
                self._checkpoint, self._modules, self.optimizer, owner=training.owner
            )
            self.progress = Progress(**saved)
            where = f"epoch {self.progress.epoch + 1}, batch {self.progress.batches + 1}"
            runtime.say(f"{training.name}: resuming at {where}")
        spent = self.progress.cost
        earlier = StageCost.from_dict(spent) if spent else None
        self._meter = CostMeter(training.name, earlier=earlier, device=runtime.device)
        model = training.objectives.model
        self._flops = {
            frozen: llm_flops_per_token(
                model.llm.config,
                model.spec.llm,
                training=True,
                trained_inputs=not frozen,
                recompute=training.settings.checkpoint_activations,
            )
            for frozen in (False, True)
        }

    @property
    def _modules(self) -> dict[str, nn.Module]:
        modules: dict[str, nn.Module] = {"objectives": self.training.objectives}
        return modules if self._average is None else {**modules, "average": self._average}

    @property
    def _trained(self) -> list[nn.Parameter]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def run(self, epoch: Epoch) -> None:
        """The updates of an epoch that are left to do."""
        training, progress = self.training, self.progress
        rng = random.Random(f"{training.seed}/{progress.epoch}")
        length = training.objectives.length
        batches = make_batches(epoch.sequences(rng), length, epoch.batch_tokens, rng)
        size = training.settings.accumulate
        with progress_bar(visible=self.runtime.is_main) as bar:
            task = bar.add_task(epoch.name, total=len(batches), note="")
            for start in range(progress.batches, len(batches), size):
                bar.update(task, completed=start)
                part = batches[start : start + size]
                middle = start + len(part) / 2  # at its start the first update's rate were zero
                done = (progress.epoch + middle / len(batches)) / len(training.epochs)
                set_learning_rates(self.optimizer, done)
                loss = self.update(part, epoch, lambda: bar.update(task, advance=1))
                progress.batches, progress.updates = start + len(part), progress.updates + 1
                progress.losses = (progress.losses[0] + loss, progress.losses[1] + 1)
                self.runtime.log({f"{training.name}/loss": loss}, progress.updates)
                bar.update(task, completed=progress.batches, note=f"loss {loss:.3f}")
                if progress.updates % training.settings.save_every == 0:
                    self.remember()

    def update(
        self,
        batches: Sequence[Sequence[AnySequence]],
        epoch: Epoch,
        tell: Callable[[], object] = lambda: None,
    ) -> float:
        """One step of the optimizer over some batches; returns the mean loss.

        Args:
            batches: That are accumulated.
            epoch: They are of.
            tell: Called after each batch.

        Raises:
            UserError: loss or gradients are no numbers. The weights are as they were.
        """
        runtime, accelerator = self.runtime, self.runtime.accelerator
        self.wrapped.train()
        counts = torch.stack([self.training.objectives.counts(batch) for batch in batches]).sum(0)
        mean = 0.0
        for number, batch in enumerate(batches):
            last = number == len(batches) - 1
            # What a batch drops is the same whichever process has it, and after a restart.
            torch.manual_seed(hash((self.training.seed, self.progress.updates, number)))
            own = batch[runtime.process :: runtime.processes]
            with contextlib.nullcontext() if last else accelerator.no_sync(self.wrapped):
                # A process without a sequence goes along with one that counts nothing there.
                sums = self.wrapped(own or batch[:1], frozen_inputs=epoch.frozen_inputs)
                loss = (sums / counts.to(sums.device).clamp_min(1e-9)).sum() * bool(own)
                # Gradients are averaged over processes; the loss is a mean over all of them.
                accelerator.backward(loss * runtime.processes)
            mean += float(loss.detach())
            if own:
                self._count(own, epoch)
            tell()
        total = self._finite("loss", runtime.total(mean))
        norm = accelerator.clip_grad_norm_(self._trained, CLIP_NORM)
        self._finite("norm of the gradients", _whole(norm))  # one that is none spoils all weights
        self._meter.add_update()
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self._average is not None:
            self._average.follow(self.progress.updates)
        return total

    def finish(self, epoch: Epoch) -> None:
        """Score dev, keep the best, and remember."""
        with contextlib.nullcontext() if self._average is None else self._average.in_place():
            self._score(epoch)
        progress = self.progress
        progress.epoch, progress.batches, progress.losses = progress.epoch + 1, 0, (0.0, 0)
        self.remember()

    def _score(self, epoch: Epoch) -> None:
        training, progress = self.training, self.progress
        self.wrapped.eval()
        figure = training.dev(self.wrapped, self.runtime)
        mean = progress.losses[0] / max(1, progress.losses[1])
        self.runtime.log({f"{training.name}/dev": figure}, progress.updates)
        self.runtime.say(f"{epoch.name}: loss {mean:.4f}, dev {figure:.4f}")
        if epoch.candidate and (progress.best is None or figure > progress.best):
            progress.best, progress.chosen = figure, epoch.name
            training.save()
        entry = {"name": epoch.name, "loss": mean, "dev": figure}
        progress.history = [*progress.history, entry]

    def remember(self) -> None:
        """Write a checkpoint; every process must call it."""
        self.progress.cost = self._meter.cost.to_dict()
        save_checkpoint(
            self._checkpoint,
            self._modules,
            self.optimizer,
            vars(self.progress),
            owner=self.training.owner,
            write=self.runtime.is_main,
        )

    def _finite(self, what: str, value: float) -> float:
        """The value, refused where the training has diverged: nothing after that is of use."""
        if math.isfinite(value):
            return value
        name, out = self.training.name, self.training.out
        again = "start the same command again"
        if self._checkpoint.exists():
            again = f"delete {out} to begin anew, as its checkpoint is of the settings that failed"
        raise UserError(
            f"{name}: the {what} is {value} in update {self.progress.updates + 1}, and nothing was "
            f"learned from it: lower {name}.learning_rate (with --set) or raise trainer.precision "
            f"to fp32, and {again}"
        )

    def _count(self, batch: Sequence[AnySequence], epoch: Epoch) -> None:
        size = self.training.objectives.size(batch)
        flops = self._flops[epoch.frozen_inputs]
        spent = flops.of_batch(size.padded_tokens, size.longest, size.logits)
        self._meter.add_batch(size.tokens, size.padded_tokens, spent)


def _whole(norm: Tensor) -> float:
    """The number of a tensor that may be sharded, which is collective then."""
    return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)
