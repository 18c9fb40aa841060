"""Train the speech encoder on openSMILE windows of RAVDESS, EmoDB and nEMO.

    python -m training.speech --data FOLDER

FOLDER holds any of the corpora (see docs/data.md); the functionals are cached. An
utterance's score is the mean over its windows, so windows need no labels of their own.
Speakers are disjoint between training and dev. For composition (`training.composition.compose`) the
training clips are also scored out of fold: by encoders that did not hear their speaker.

The weights kept are a running average of the last updates, not the epoch that is best on
dev: the figures are of a training whose length was fixed beforehand.

Letters in shapes: n clips, W windows in all, D functionals, S that are kept, E emotions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engine.arguments import run_command
from engine.model.calibration import fit_temperature
from engine.model.encoders import SpeechEncoder
from engine.model.spec import AudioSpec
from training.datasets.labels import MELD_INDEX
from training.datasets.speech import find_speech, speaker_split
from training.device import training_device
from training.learning.checkpoint import require_finite, write_tensors
from training.progress import progress_bar
from training.script import Job, run_script, script_parser
from training.voice.clips import Clips, gather, heard, mean_by, unweighted_accuracy
from training.voice.features import clip_key
from training.voice.history import SpeakerHistory, at
from training.voice.selection import select_functionals

HEARD = (0, 1, 2, 5, 10, 20)
"""Utterances of a speaker that are known, in the report."""


@dataclass(frozen=True)
class SpeechTraining:
    """Hyper-parameters, chosen on the dev speakers."""

    epochs: int = 25
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    dropout: float = 0.5
    noise: float = 0.4
    """Standard deviation of what is added to standardised functionals."""
    average: float = 0.995
    """What the average of the weights keeps of itself at an update."""
    folds: int = 4
    """Groups of training speakers for the out-of-fold scores."""
    seed: int = 1


def fit(train: Clips, spec: AudioSpec, options: SpeechTraining) -> SpeechEncoder:
    """Train one encoder."""
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    model = SpeechEncoder.of(spec, len(MELD_INDEX), options.dropout)
    if spec.selected:
        model.select(select_functionals(train, spec.selected))
    model.fit_scale(train.windows)
    device = training_device()
    model.layers.to(device)  # what they read is made on the CPU, where histories are
    batches = _Batches(model, train, options)
    steps = options.epochs * -(-len(train.labels) // options.batch_size)
    optimizer = torch.optim.AdamW(
        model.layers.parameters(), options.learning_rate, weight_decay=options.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.learning_rate, total_steps=steps
    )
    average = AveragedModel(model.layers, multi_avg_fn=get_ema_multi_avg_fn(options.average))  # type: ignore[no-untyped-call]
    with progress_bar() as bar:
        task = bar.add_task("speech", total=options.epochs, note="")
        for _ in range(options.epochs):
            model.train()
            for loss in batches.epoch(generator):
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                average.update_parameters(model.layers)
            bar.update(task, advance=1, note=f"loss {loss.item():.3f}")
    model.layers.load_state_dict(average.module.state_dict())
    return model.cpu().eval()


class _Batches:
    """The training clips, again in each epoch after other histories of their speakers."""

    def __init__(self, model: SpeechEncoder, clips: Clips, options: SpeechTraining) -> None:
        self._model, self._clips, self._options = model, clips, options
        self._standardised = model.standardise(clips.windows)
        self._history = SpeakerHistory(self._standardised, clips.owner, clips.speakers)
        self._starts, self._counts = clips.spans()
        self._weights = _weights(clips)

    def epoch(self, generator: torch.Generator) -> Iterator[Tensor]:
        """The loss of each batch."""
        scale = None
        if self._model.speaker_normalised:
            scale = self._history.drawn(generator)
        for chosen in torch.split(torch.randperm(len(self._counts)), self._options.batch_size):
            counts = self._counts[chosen]
            owner = torch.repeat_interleave(torch.arange(len(chosen)), counts)
            place = torch.arange(len(owner)) - (counts.cumsum(0) - counts)[owner]
            own = None if scale is None else at(scale, chosen[owner])
            windows = self._standardised[self._starts[chosen][owner] + place]
            described = self._model.describe(windows, own)
            described = described + self._options.noise * torch.randn_like(described)
            device = next(self._model.layers.parameters()).device
            losses = functional.cross_entropy(
                mean_by(self._model.layers(described.to(device)), owner.to(device), len(chosen)),
                self._clips.labels[chosen].to(device),
                reduction="none",
            )
            yield (losses * self._weights[chosen].to(device)).mean()


@torch.inference_mode()
def score(model: SpeechEncoder, clips: Clips, utterances: int | None = None) -> Tensor:
    """Label scores of windows (W, E), each clip after `utterances` of its speaker; None: all."""
    standardised = model.eval().standardise(clips.windows)
    scale = None
    if model.speaker_normalised:
        history = SpeakerHistory(standardised, clips.owner, clips.speakers)
        some = history.all_before() if utterances is None else history.some_before(utterances)
        scale = at(some, clips.owner)
    scores: Tensor = model.layers(model.describe(standardised, scale))
    return scores


def evaluate(model: SpeechEncoder, clips: Clips, utterances: int | None = None) -> dict[str, float]:
    """Unweighted accuracy on each corpus, each clip after `utterances` of its speaker."""
    means = mean_by(score(model, clips, utterances), clips.owner, len(clips.labels))
    return unweighted_accuracy(means.argmax(1), clips)


def out_of_fold(train: Clips, spec: AudioSpec, options: SpeechTraining) -> list[Tensor]:
    """Label scores (W of the clip, E) of every training clip from encoders without its speaker."""
    names = sorted(set(train.speakers))
    fold_of = torch.tensor([names.index(speaker) % options.folds for speaker in train.speakers])
    scores: list[Tensor] = [torch.empty(0)] * len(train.labels)
    for fold in torch.unique(fold_of):
        model = fit(train.subset(torch.nonzero(fold_of != fold).squeeze(1)), spec, options)
        left_out = torch.nonzero(fold_of == fold).squeeze(1)
        part = train.subset(left_out)
        windows = torch.split(score(model, part), part.spans()[1].tolist())
        for index, own in zip(left_out.tolist(), windows, strict=True):
            scores[index] = own.clone()
    return scores


def temper(model: SpeechEncoder, unseen: Sequence[Tensor], train: Clips) -> list[Tensor]:
    """Divide an encoder's scores, and those out of fold, by the temperature of the latter.

    The network is too sure of speakers that it does not know, and evidence that is too sure is
    given too little weight beside words, voice and face.
    """
    means = mean_by(torch.cat(list(unseen)), train.owner, len(unseen))
    temperature = fit_temperature(means, train.labels)
    with torch.no_grad():
        for parameter in model.layers[-1].parameters():
            parameter.div_(temperature)
    return [rows / temperature for rows in unseen]


def _weights(clips: Clips) -> Tensor:
    """Weight of each clip: classes by the root of their rarity; English twice the others."""
    weights = torch.zeros(len(clips.labels))
    for corpus in set(clips.corpora):
        own = clips.of_corpus(corpus)
        counts = torch.bincount(clips.labels[own], minlength=len(MELD_INDEX)).clamp_min(1)
        raw = counts[clips.labels[own]].float().rsqrt()
        weights[own] = raw / raw.sum() * (2.0 if corpus == "ravdess" else 1.0)
    return weights / weights.mean()


def train(
    data: Path, spec: AudioSpec, options: SpeechTraining, out: Path | None, cache: Path
) -> dict[str, float]:
    """Read the corpora below a folder and train; returns the dev figures.

    Without `out` nothing is written, and the out-of-fold scores are left out.
    """
    train_clips, dev_clips = map(heard, speaker_split(find_speech(data)))
    clips, dev = gather(train_clips, spec, cache), gather(dev_clips, spec, cache)
    model = fit(clips, spec, options)
    figures = evaluate(model, dev)
    after = {count: evaluate(model, dev, count) for count in HEARD if spec.speaker_normalised}
    for count, known in after.items():
        print(f"after {count} utterances of the speaker: {_in_words(known)}")
    require_finite("the speech encoder", model.state_dict())
    if out is not None:
        unseen = temper(model, out_of_fold(clips, spec, options), clips)
        out.mkdir(parents=True, exist_ok=True)
        keys = [clip_key(clip) for clip in train_clips]
        write_tensors(out / "out_of_fold.safetensors", dict(zip(keys, unseen, strict=True)))
        report = {"dev": figures, "after": after, "settings": asdict(options)}
        (out / "speech.json").write_text(json.dumps(report, indent=2) + "\n")
        # The last: where it is, `training.encoders` takes the step for done.
        write_tensors(out / "speech.safetensors", model.state_dict())
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train."""
    parser = script_parser("training.speech", __doc__, needs="speech corpora", smoke=True)
    parser.add_argument("--epochs", type=int, default=SpeechTraining.epochs)
    parser.add_argument(
        "--dev-only", action="store_true", help="print the dev figures and write no weights"
    )
    return run_script(parser, arguments, _run)


def _run(job: Job) -> None:
    settings = SpeechTraining(epochs=job.options.epochs, seed=job.seed)
    out = None if job.options.dev_only else job.runs / "speech"
    figures = train(job.data, job.spec.audio, settings, out, job.cache)
    print(f"dev unweighted accuracy: {_in_words(figures)}")


def _in_words(figures: dict[str, float]) -> str:
    return ", ".join(f"{corpus} {figure:.4f}" for corpus, figure in figures.items())


if __name__ == "__main__":
    run_command(main)
