"""Train the face DenseNet on FER2013 pictures with FERPlus vote distributions.

    python -m training.face --data FOLDER

FOLDER holds FER2013 as parquet files or as ``fer2013.csv`` with FERPlus's
``fer2013new.csv`` (see docs/data.md). The targets are the ten annotators' votes
(Barsoum et al., 2016), not the single label. Epochs start on pictures of two thirds
of the size, which halves their cost, and end at full size; the weights kept are an
exponential moving average, of the epoch that is best on PublicTest.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engine.arguments import run_command
from engine.model.densenet import DenseNet
from engine.model.inputs import normalised
from engine.model.spec import VideoSpec
from stream.errors import UserError
from training.augment import augment_faces
from training.datasets.fer2013 import Fer2013, read_fer2013
from training.device import has_bf16, training_device
from training.learning.checkpoint import load_checkpoint, save_checkpoint, write_tensors
from training.progress import console, progress_bar
from training.script import Job, run_script, script_parser

WEIGHTS = "face.safetensors"
"""Name of the file, here and in a bundle."""
RECORD = "face.json"
"""Beside it: dev figure and settings of the training."""


@dataclass(frozen=True)
class FaceTraining:
    """Hyper-parameters; FERPlus's authors do not fix them, these are ours."""

    epochs: int = 30
    small_epochs: int = 18
    """Of these, the first ones at two thirds of the size."""
    batch_size: int = 64
    learning_rate: float = 0.1
    """Peak of one cosine cycle with a linear rise over its first tenth."""
    weight_decay: float = 5e-4
    ema_decay: float = 0.998
    seed: int = 1


def fit(data: Fer2013, dev: Fer2013, spec: VideoSpec, options: FaceTraining, out: Path) -> float:
    """Train, resume where a checkpoint is, and keep the best epoch on `dev`.

    Returns:
        Accuracy on the FERPlus majority of seven of the kept epoch.
    """
    torch.manual_seed(options.seed)
    device = training_device()
    model = DenseNet(spec.densenet).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.to(device)  # made on the CPU: a seed gives the same weights everywhere
    ema = get_ema_multi_avg_fn(options.ema_decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(model, multi_avg_fn=ema, use_buffers=True)
    optimizer = torch.optim.SGD(
        _groups(model, options.weight_decay), lr=options.learning_rate, momentum=0.9, nesterov=True
    )
    modules: dict[str, nn.Module] = {"model": model, "average": average}
    checkpoint, first, best = out / "last.safetensors", 0, -1.0  # the first epoch is better
    owner = f"{spec} {options}"
    if checkpoint.exists():
        state = load_checkpoint(checkpoint, modules, optimizer, owner=owner)
        first, best = state["epoch"] + 1, state["best"]
        console.print(f"resuming at epoch {first + 1} from {checkpoint}")
    usable = np.flatnonzero(data.usable)
    faces = torch.from_numpy(data.images[usable])
    votes = torch.from_numpy(data.votes[usable]).float()
    steps = math.ceil(len(faces) / options.batch_size)
    fast = has_bf16(device)
    with progress_bar() as bar:
        for epoch in range(first, options.epochs):
            task = bar.add_task(f"face epoch {epoch + 1}/{options.epochs}", total=steps, note="")
            generator = torch.Generator().manual_seed(options.seed * 1000 + epoch)
            side = spec.size * 2 // 3 if epoch < options.small_epochs else spec.size
            order = torch.randperm(len(faces), generator=generator)
            model.train()
            for step in range(steps):
                chosen = order[step * options.batch_size : (step + 1) * options.batch_size]
                rate = _rate((epoch * steps + step) / (options.epochs * steps))
                for group in optimizer.param_groups:
                    group["lr"] = options.learning_rate * rate
                pixels = augment_faces(faces[chosen].unsqueeze(1) / 255, generator, side)
                pixels = normalised(pixels, spec).to(memory_format=torch.channels_last)
                loss = _loss(model, pixels.to(device), votes[chosen].to(device), fast=fast)
                if not math.isfinite(loss.item()):
                    raise UserError(
                        f"the face encoder's loss is {loss.item()} in epoch {epoch + 1}: start the "
                        f"same command again, and if that does not help, delete {out}"
                    )
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                average.update_parameters(model)
                bar.update(task, advance=1, note=f"loss {loss.item():.3f}")
            accuracy = evaluate(average.module, dev, spec)
            bar.remove_task(task)
            console.print(f"epoch {epoch + 1}: dev FERPlus accuracy {accuracy:.4f}")
            if accuracy > best:
                best = accuracy
                _save_best(average.module, out, best, epoch, options)
            progress = {"epoch": epoch, "best": best}
            save_checkpoint(checkpoint, modules, optimizer, progress, owner=owner)
    return best


def _loss(model: nn.Module, pixels: Tensor, votes: Tensor, *, fast: bool) -> Tensor:
    """Cross-entropy of (B, 1, S, S) pictures with (B, E) shares of votes, all on one device."""
    with torch.autocast(pixels.device.type, torch.bfloat16, enabled=fast):
        logits = model(pixels)
    return functional.cross_entropy(logits.float(), votes)


@torch.inference_mode()
def evaluate(model: nn.Module, data: Fer2013, spec: VideoSpec) -> float:
    """Accuracy on the FERPlus majority of seven, mirrored view averaged in no way."""
    model.eval()
    device = next(model.parameters()).device
    known = np.flatnonzero(data.majority >= 0)
    right = 0
    for start in range(0, len(known), 256):
        rows = known[start : start + 256]
        pixels = normalised(torch.from_numpy(data.images[rows]).unsqueeze(1) / 255, spec)
        pixels = pixels.to(device, memory_format=torch.channels_last)
        predicted = model(pixels).argmax(1).cpu().numpy()
        right += int((predicted == data.majority[rows]).sum())
    return right / max(1, len(known))


def _rate(done: float) -> float:
    return min(1.0, done * 10) * 0.5 * (1 + math.cos(math.pi * max(0.0, done - 0.1) / 0.9))


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """No weight decay on norms and biases."""
    decayed: list[Tensor] = [p for p in model.parameters() if p.ndim > 1]
    plain: list[Tensor] = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0}]


def _save_best(
    model: nn.Module, out: Path, accuracy: float, epoch: int, options: FaceTraining
) -> None:
    tensors = {key: value.cpu().contiguous() for key, value in model.state_dict().items()}
    write_tensors(out / WEIGHTS, tensors)
    figures = {
        "dev_ferplus_accuracy": accuracy,
        "epoch": epoch + 1,
        "settings": dataclasses.asdict(options),
    }
    (out / RECORD).write_text(json.dumps(figures, indent=2) + "\n")


def train(data: Path, spec: VideoSpec, options: FaceTraining, out: Path) -> float:
    """Read FER2013 and train; returns the best dev accuracy."""
    out.mkdir(parents=True, exist_ok=True)
    training = read_fer2013(data, usage="Training")
    return fit(training, read_fer2013(data, usage="PublicTest"), spec, options, out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train."""
    parser = script_parser("training.face", __doc__, needs="FER2013", smoke=True)
    parser.add_argument("--epochs", type=int, default=FaceTraining.epochs)
    parser.add_argument("--small-epochs", type=int, default=FaceTraining.small_epochs)
    return run_script(parser, arguments, _run)


def _run(job: Job) -> None:
    settings = FaceTraining(
        epochs=job.options.epochs, small_epochs=job.options.small_epochs, seed=job.seed
    )
    data = job.data / "fer2013" if (job.data / "fer2013").is_dir() else job.data
    out = job.runs / "face"
    best = train(data, job.spec.video, settings, out)
    print(f"best dev FERPlus accuracy {best:.4f}; weights in {out / WEIGHTS}")


if __name__ == "__main__":
    run_command(main)
