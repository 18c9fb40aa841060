"""Train the prosody encoder on the measured prosody that is published for MELD.

    python -m training.prosody compact --data FOLDER

The only real voices with words in conversations that this project has: measures of each
clip, not its sound (docs/data.md). Each turn is compared with the turns of the same speaker
before it, as live. Takes seconds.

Weights go to `prosody.safetensors` and dev figures to `prosody.json` below RUNS/prosody.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from engine.arguments import run_command
from engine.model.prosody import HIDDEN, MEMBERS, ProsodyEncoder
from engine.model.speaker import SpeakerScale
from engine.prosody import MEASURES
from stream.errors import UserError
from training.datasets.dialogues import Dialogue
from training.device import training_device
from training.evaluation.metrics import scores
from training.learning.checkpoint import require_finite, write_tensors
from training.script import Job, run_script, script_parser

WEIGHTS = "prosody.safetensors"


@dataclass(frozen=True)
class ProsodyTraining:
    """Hyper-parameters."""

    epochs: int = 30
    batch_size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    dropout: float = 0.3
    seed: int = 1


@dataclass(frozen=True, eq=False)
class Turns:
    """Turns of many dialogues that have measures and a label."""

    measured: Tensor
    """(n, P)."""
    speakers: tuple[str, ...]
    labels: Tensor
    """(n,) label indices."""
    dialogues: Tensor
    """(n,) index of the dialogue."""


def gather(dialogues: Sequence[Dialogue], labels: Sequence[str]) -> Turns:
    """The turns to learn from.

    Raises:
        UserError: there are none.
    """
    found = [
        (index, one)
        for index, dialogue in enumerate(dialogues)
        for one in dialogue.utterances
        if one.prosody is not None and one.emotion in labels
    ]
    if not found:
        raise UserError(
            "the corpus has no measured prosody: put meld_train_audio_features.csv and "
            "meld_dev_audio_features.csv beside its csv files (docs/data.md), or set "
            "spec.prosody to false"
        )
    return Turns(
        torch.tensor([one.prosody for _, one in found]),
        tuple(one.speaker for _, one in found),
        torch.tensor([labels.index(one.emotion) for _, one in found]),
        torch.tensor([index for index, _ in found]),
    )


def describe(encoder: ProsodyEncoder, turns: Turns) -> Tensor:
    """(n, D) what the network reads, each turn after those of its speaker before it."""
    scales: dict[tuple[int, str], SpeakerScale] = {}
    rows = []
    standardised = encoder.standardise(turns.measured).nan_to_num()
    for index, one in enumerate(turns.measured):
        speaker = (int(turns.dialogues[index]), turns.speakers[index])
        scale = scales.get(speaker) or SpeakerScale.unknown(len(MEASURES))
        rows.append(encoder.describe(one, scale))
        scales[speaker] = scale.heard(standardised[index : index + 1])
    return torch.stack(rows)


def fit(turns: Turns, emotions: int, options: ProsodyTraining) -> ProsodyEncoder:
    """Train some small networks and join them into one, which scores as their mean does."""
    encoder = ProsodyEncoder(emotions, hidden=HIDDEN // MEMBERS)
    encoder.fit_scale(turns.measured, turns.labels)
    described = describe(encoder, turns)
    members = [
        _fit_member(described, turns, emotions, options, options.seed + 100 * member)
        for member in range(MEMBERS)
    ]
    joined = ProsodyEncoder(emotions)
    joined.fit_scale(turns.measured, turns.labels)
    parts = [member.layers.state_dict() for member in members]
    joined.layers.load_state_dict(
        {
            "0.weight": torch.cat([part["0.weight"] for part in parts]),
            "0.bias": torch.cat([part["0.bias"] for part in parts]),
            "3.weight": torch.cat([part["3.weight"] for part in parts], 1) / MEMBERS,
            "3.bias": torch.stack([part["3.bias"] for part in parts]).mean(0),
        }
    )
    return joined.eval()


def _fit_member(
    described: Tensor, turns: Turns, emotions: int, options: ProsodyTraining, seed: int
) -> ProsodyEncoder:
    torch.manual_seed(seed)
    device = training_device()
    model = ProsodyEncoder(emotions, options.dropout, HIDDEN // MEMBERS).to(device)
    described, labels = described.to(device), turns.labels.to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), options.learning_rate, weight_decay=options.weight_decay
    )
    updates = options.epochs * -(-len(described) // options.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.learning_rate, total_steps=updates
    )
    for _ in range(options.epochs):
        for order in torch.split(torch.randperm(len(described)), options.batch_size):
            chosen = order.to(device)
            # Learned with the frequencies of the labels in, which `forward` takes out.
            loss = functional.cross_entropy(model.layers(described[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return model.cpu()


@torch.inference_mode()
def label_scores(encoder: ProsodyEncoder, turns: Turns) -> Tensor:
    """(n, E) log-probabilities, as live."""
    found: Tensor = encoder(describe(encoder, turns))
    return found


def evaluate(encoder: ProsodyEncoder, turns: Turns, labels: Sequence[str]) -> dict[str, float]:
    """Figures of the prosody alone: cross-entropy, weighted F1 and unweighted accuracy."""
    balanced = label_scores(encoder, turns)
    given = (balanced + encoder.log_prior).softmax(1)
    loss = functional.nll_loss(given.log(), turns.labels)
    truth = turns.labels.numpy()
    natural = scores(labels, truth, given.double().numpy())
    even = scores(labels, truth, balanced.exp().double().numpy())
    return {
        "cross_entropy": float(loss),
        "cross_entropy_of_frequencies": float(-encoder.log_prior[turns.labels].mean()),
        "weighted_f1": natural.weighted_f1,
        "unweighted_accuracy_balanced": even.unweighted_accuracy,
    }


def train(
    dialogues: Sequence[Dialogue],
    dev: Sequence[Dialogue],
    labels: Sequence[str],
    options: ProsodyTraining,
    out: Path,
) -> dict[str, float]:
    """Train, write and evaluate; returns the dev figures."""
    turns = gather(dialogues, labels)
    encoder = fit(turns, len(labels), options)
    require_finite("the prosody encoder", encoder.state_dict())
    figures = evaluate(encoder, gather(dev, labels), labels)
    out.mkdir(parents=True, exist_ok=True)
    (out / "prosody.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    # Last: where it is, the step is done.
    write_tensors(out / WEIGHTS, encoder.state_dict())
    return figures


def prosody_weights(runs: Path) -> Path:
    """Of the prosody encoder."""
    return runs / "prosody" / WEIGHTS


def prepare(job: Job) -> dict[str, float]:
    """Train the encoder of a job."""
    corpus = job.open_corpus()
    options = ProsodyTraining(seed=job.seed, epochs=getattr(job.options, "epochs", 30))
    splits = corpus.splits
    out = prosody_weights(job.runs).parent
    return train(splits["train"], splits["dev"], job.spec.labels, options, out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train."""
    parser = script_parser("training.prosody", __doc__, needs="MELD with its measured prosody")
    parser.add_argument("--epochs", type=int, default=ProsodyTraining.epochs)
    return run_script(parser, arguments, _run)


def _run(job: Job) -> None:
    shown = ", ".join(f"{name} {figure:.4f}" for name, figure in prepare(job).items())
    print(f"dev, prosody alone: {shown}")


if __name__ == "__main__":
    run_command(main)
