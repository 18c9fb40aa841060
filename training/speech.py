"""Train the speech encoder on openSMILE windows of RAVDESS, EmoDB and nEMO.

    python -m training.speech --data FOLDER

FOLDER holds any of the corpora (see docs/data.md); the functionals are cached. An
utterance's score is the mean over its windows, so windows need no labels of their own.
Speakers are disjoint between training and dev. For composition (`training.compose`) the
training clips are also scored out of fold: by encoders that did not hear their speaker.

Letters in shapes: n clips, W windows in all, D functionals, E emotions.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.model.encoders import SpeechEncoder
from engine.model.spec import AudioSpec
from training.checkpoint import write_tensors
from training.datasets.labels import MELD_INDEX
from training.datasets.speech import SpeechClip, find_speech, speaker_split
from training.features import clip_key, speech_features
from training.progress import progress_bar
from training.script import Job, run_script, script_parser


@dataclass(frozen=True)
class SpeechTraining:
    """Hyper-parameters, chosen on the dev speakers."""

    epochs: int = 40
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    dropout: float = 0.5
    noise: float = 0.4
    """Standard deviation of what is added to standardised functionals."""
    label_smoothing: float = 0.1
    folds: int = 4
    """Groups of training speakers for the out-of-fold scores."""
    seed: int = 1


@dataclass(frozen=True, eq=False)
class Clips:
    """Windows of many clips in one tensor."""

    windows: Tensor
    """(W, D) functionals."""
    owner: Tensor
    """(W,) index of the clip of each window."""
    labels: Tensor
    """(n,) label indices."""
    corpora: tuple[str, ...]
    """Corpus of each clip."""

    def subset(self, chosen: Tensor) -> Clips:
        """The clips at some indices."""
        rows = torch.cat([torch.nonzero(self.owner == index).squeeze(1) for index in chosen])
        counts = torch.bincount(self.owner, minlength=len(self.labels))[chosen]
        owner = torch.repeat_interleave(torch.arange(len(chosen)), counts)
        corpora = tuple(self.corpora[int(index)] for index in chosen)
        return Clips(self.windows[rows], owner, self.labels[chosen], corpora)


def gather(clips: Sequence[SpeechClip], spec: AudioSpec, cache: Path) -> Clips:
    """Functionals and labels of clips."""
    parts = [torch.from_numpy(part) for part in speech_features(clips, spec, cache)]
    counts = torch.tensor([len(part) for part in parts])
    return Clips(
        torch.cat(parts),
        torch.repeat_interleave(torch.arange(len(parts)), counts),
        torch.tensor([MELD_INDEX[clip.emotion] for clip in clips]),
        tuple(clip.corpus for clip in clips),
    )


def fit(
    train: Clips, dev: Clips | None, spec: AudioSpec, options: SpeechTraining
) -> tuple[SpeechEncoder, dict[str, float]]:
    """Train one encoder; with `dev` the epoch that is best on its English and German is kept.

    Returns:
        The encoder, and its unweighted accuracy on each corpus of `dev`.
    """
    torch.manual_seed(options.seed)
    model = SpeechEncoder(spec.features, spec.hidden, len(MELD_INDEX), options.dropout)
    model.fit_scale(train.windows)
    optimizer = torch.optim.AdamW(
        model.parameters(), options.learning_rate, weight_decay=options.weight_decay
    )
    order_steps = -(-len(train.labels) // options.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.learning_rate, total_steps=options.epochs * order_steps
    )
    weights = _weights(train)
    rows = [torch.nonzero(train.owner == index).squeeze(1) for index in range(len(train.labels))]
    standardised = model.standardise(train.windows)
    best: tuple[float, dict[str, float], dict[str, Tensor]] = (-1.0, {}, {})
    with progress_bar() as bar:
        task = bar.add_task("speech", total=options.epochs, note="")
        for _ in range(options.epochs):
            model.train()
            for chosen in torch.split(torch.randperm(len(rows)), options.batch_size):
                picked = [rows[int(index)] for index in chosen]
                owner = torch.cat([torch.full((len(p),), i) for i, p in enumerate(picked)])
                windows = standardised[torch.cat(picked)]
                windows = windows + options.noise * torch.randn_like(windows)
                loss = functional.cross_entropy(
                    _mean_by(model.layers(windows), owner, len(picked)),
                    train.labels[chosen],
                    label_smoothing=options.label_smoothing,
                    reduction="none",
                )
                optimizer.zero_grad()
                (loss * weights[chosen]).mean().backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
            if dev is not None:
                figures = evaluate(model, dev)
                chosen_on = [figures[c] for c in ("ravdess", "emodb") if c in figures]
                mean = float(np.mean(chosen_on or list(figures.values())))
                if mean > best[0]:
                    state = {key: value.clone() for key, value in model.state_dict().items()}
                    best = (mean, figures, state)
                bar.update(task, note=f"dev {mean:.3f}")
            bar.update(task, advance=1)
    if dev is not None:
        model.load_state_dict(best[2])
    model.eval()
    return model, best[1]


@torch.inference_mode()
def evaluate(model: SpeechEncoder, clips: Clips) -> dict[str, float]:
    """Unweighted accuracy (mean recall over the labels present) on each corpus."""
    model.eval()
    predicted = _mean_by(model(clips.windows), clips.owner, len(clips.labels)).argmax(1)
    right = predicted == clips.labels
    figures = {}
    for corpus in sorted(set(clips.corpora)):
        own = torch.tensor([name == corpus for name in clips.corpora])
        recalls = [
            right[own & (clips.labels == k)].float().mean() for k in torch.unique(clips.labels[own])
        ]
        figures[corpus] = float(torch.stack(recalls).mean())
    return figures


def out_of_fold(
    train: Clips, speakers: Sequence[str], spec: AudioSpec, options: SpeechTraining
) -> list[Tensor]:
    """Label scores (W of the clip, E) of every training clip from encoders without its speaker."""
    names = sorted(set(speakers))
    fold_of = torch.tensor([names.index(speaker) % options.folds for speaker in speakers])
    scores: list[Tensor] = [torch.empty(0)] * len(speakers)
    for fold in range(options.folds):
        model, _ = fit(train.subset(torch.nonzero(fold_of != fold).squeeze(1)), None, spec, options)
        for index in torch.nonzero(fold_of == fold).squeeze(1).tolist():
            with torch.inference_mode():
                scores[index] = model(train.windows[train.owner == index])
    return scores


def _weights(clips: Clips) -> Tensor:
    """Weight of each clip: classes by the root of their rarity; English twice the others."""
    weights = torch.zeros(len(clips.labels))
    for corpus in set(clips.corpora):
        own = torch.tensor([name == corpus for name in clips.corpora])
        counts = torch.bincount(clips.labels[own], minlength=len(MELD_INDEX)).clamp_min(1)
        raw = counts[clips.labels[own]].float().rsqrt()
        weights[own] = raw / raw.sum() * (2.0 if corpus == "ravdess" else 1.0)
    return weights / weights.mean()


def _mean_by(values: Tensor, owner: Tensor, count: int) -> Tensor:
    total = torch.zeros(count, values.shape[1]).index_add(0, owner, values)
    return total / torch.bincount(owner, minlength=count)[:, None]


def train(
    data: Path, spec: AudioSpec, options: SpeechTraining, out: Path, cache: Path
) -> dict[str, float]:
    """Read the corpora below a folder and train; returns the dev figures."""
    train_clips, dev_clips = speaker_split(find_speech(data))
    clips = gather(train_clips, spec, cache)
    model, figures = fit(clips, gather(dev_clips, spec, cache), spec, options)
    speakers = [f"{clip.corpus}/{clip.speaker}" for clip in train_clips]
    unseen = out_of_fold(clips, speakers, spec, options)
    out.mkdir(parents=True, exist_ok=True)
    keys = [clip_key(clip) for clip in train_clips]
    write_tensors(out / "out_of_fold.safetensors", dict(zip(keys, unseen, strict=True)))
    # Last of the two: where it is, `training.encoders` takes the step for done.
    write_tensors(out / "speech.safetensors", model.state_dict())
    (out / "speech.json").write_text(json.dumps(figures, indent=2) + "\n")
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train."""
    parser = script_parser("training.speech", __doc__, needs="speech corpora", smoke=True)
    parser.add_argument("--epochs", type=int, default=SpeechTraining.epochs)
    return run_script(parser, arguments, _run)


def _run(job: Job) -> None:
    settings = SpeechTraining(epochs=job.options.epochs, seed=job.seed)
    figures = train(job.data, job.spec.audio, settings, job.runs / "speech", job.cache)
    shown = ", ".join(f"{corpus} {figure:.4f}" for corpus, figure in figures.items())
    print(f"best dev unweighted accuracy: {shown}")


if __name__ == "__main__":
    sys.exit(main())
