"""Train LoRA and adapters on MELD dialogues: stage 2 of BeMERC, emotion at the cue.

    python -m training.stage2 --data FOLDER

The encoders that `training.face` and `training.speech` wrote are read from ``--runs``.

A dialogue is one sequence with a loss at every turn's cue. The first epochs are text
only, with the other modalities absent; the last ones are composed: a turn gets a face
and a voice with its label from the face and speech corpora (`training.compose`), and
modalities are dropped at random, so that every subset of them works.
"""

from __future__ import annotations

import functools
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from engine.model.model import EmotionModel, add_lora, load_base
from engine.model.spec import ModelSpec
from export.models import resolve
from training.banks import face_bank, load_encoders, voice_bank
from training.checkpoint import load_checkpoint, save_checkpoint
from training.compose import (
    Banks,
    TrainingSequence,
    compose,
    drop_modalities,
    solo_sequences,
    text_sequence,
)
from training.corpora import Corpora
from training.datasets.dialogues import Dialogue
from training.datasets.fer2013 import read_fer2013
from training.datasets.meld import read_meld
from training.datasets.speech import find_speech, speaker_split
from training.metrics import scores
from training.progress import console, progress_bar
from training.script import Job, run_script, script_parser
from training.settings import Dropout, Stage2Training

FACES_PER_LABEL = 2500
"""Pictures of a label that composition draws from."""


SAVE_EVERY = 50
"""Batches between checkpoints."""
EpochSource = Callable[[random.Random], list[TrainingSequence]]
"""Makes the sequences of one composed epoch."""


def fit(
    model: EmotionModel,
    train: Sequence[Dialogue],
    dev: Sequence[Dialogue],
    composed: EpochSource,
    options: Stage2Training,
    out: Path,
    seed: int = 1,
) -> None:
    """Train, resuming from the last checkpoint; the best composed epoch on dev is kept."""
    optimizer = make_optimizer(model, options)
    modules = {"llm": model.llm, "fusion": model.fusion}
    checkpoint, epochs = out / "last.safetensors", options.text_epochs + options.composed_epochs
    state = {"epoch": 0, "step": 0, "best": 0.0}
    if checkpoint.exists():
        state |= load_checkpoint(checkpoint, modules, optimizer)
        console.print(f"resuming at epoch {state['epoch'] + 1}, batch {state['step']}")
    for epoch in range(int(state["epoch"]), epochs):
        text_only = epoch < options.text_epochs
        rng = random.Random(f"{seed}/{epoch}")
        sequences = [text_sequence(dialogue) for dialogue in train] if text_only else composed(rng)
        batches = make_batches(model, sequences, options.batch_tokens, rng)
        first = int(state["step"]) if epoch == state["epoch"] else 0
        with progress_bar() as bar:
            task = bar.add_task(f"stage 2 epoch {epoch + 1}/{epochs}", total=len(batches), note="")
            bar.update(task, completed=first)
            for step in range(first, len(batches)):
                done = (epoch + step / len(batches)) / epochs
                set_learning_rates(optimizer, done)
                loss = train_step(model, batches[step], optimizer, text_only)
                bar.update(task, advance=1, note=f"loss {loss:.3f}")
                if (step + 1) % SAVE_EVERY == 0:
                    progress = {"epoch": epoch, "step": step + 1, "best": state["best"]}
                    save_checkpoint(checkpoint, modules, optimizer, progress)
                    console.print(f"epoch {epoch + 1} batch {step + 1}/{len(batches)} {loss:.3f}")
        f1 = dev_weighted_f1(model, [text_sequence(dialogue) for dialogue in dev])
        console.print(f"epoch {epoch + 1}: dev text weighted F1 {f1:.4f}")
        if text_only or f1 > state["best"]:
            state["best"] = 0.0 if text_only else f1
            save_trained(model, out, {"epoch": epoch + 1, "dev_text_weighted_f1": f1})
        progress = {"epoch": epoch + 1, "step": 0, "best": state["best"]}
        save_checkpoint(checkpoint, modules, optimizer, progress)


def make_optimizer(model: EmotionModel, options: Stage2Training) -> torch.optim.Optimizer:
    """AdamW in three groups; adapters and evidence begin with the composed epochs."""
    evidence = list(model.fusion.evidence_weights.parameters())
    known = {id(parameter) for parameter in evidence}
    adapters = [p for p in model.fusion.parameters() if id(p) not in known]
    lora = [p for p in model.llm.parameters() if p.requires_grad]
    begin = options.text_epochs / (options.text_epochs + options.composed_epochs)
    decay = options.weight_decay
    groups = [
        {"params": lora, "peak": options.learning_rate, "begin": 0.0, "weight_decay": decay},
        {
            "params": adapters,
            "peak": options.adapter_learning_rate,
            "begin": begin,
            "weight_decay": decay,
        },
        {
            "params": evidence,
            "peak": options.evidence_learning_rate,
            "begin": begin,
            "weight_decay": 0.0,
        },
    ]
    return torch.optim.AdamW(groups, lr=options.learning_rate)


def set_learning_rates(optimizer: torch.optim.Optimizer, done: float) -> None:
    """Each group rises over the first twentieth of its own time, then falls to zero."""
    for group in optimizer.param_groups:
        own = max(0.0, (done - group["begin"]) / max(1e-9, 1 - group["begin"]))
        group["lr"] = group["peak"] * min(own * 20, (1 - own) / 0.95)


def train_step(
    model: EmotionModel,
    batch: Sequence[TrainingSequence],
    optimizer: torch.optim.Optimizer,
    frozen: bool,
) -> float:
    """One update; returns the loss. `frozen` spares the adapters and the layers below LoRA."""
    model.train()
    with _frozen(model.fusion, frozen):
        predicted = model([sequence.turns for sequence in batch])
    loss = functional.cross_entropy(predicted, torch.cat([s.targets for s in batch]))
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], 1.0)
    optimizer.step()
    return float(loss.detach())


def make_batches(
    model: EmotionModel, sequences: Sequence[TrainingSequence], tokens: int, rng: random.Random
) -> list[list[TrainingSequence]]:
    """Sequences of like length together, so that little is padding; batches in random order."""
    sized = [(_length(model, sequence), rng.random(), sequence) for sequence in sequences]
    batches: list[list[TrainingSequence]] = []
    batch: list[TrainingSequence] = []
    for length, _, sequence in sorted(sized, key=lambda item: item[:2]):
        if batch and length * (len(batch) + 1) > tokens:
            batches.append(batch)
            batch = []
        batch.append(sequence)
    if batch:
        batches.append(batch)
    rng.shuffle(batches)
    return batches


@torch.inference_mode()
def dev_weighted_f1(model: EmotionModel, sequences: Sequence[TrainingSequence]) -> float:
    """Weighted F1 over all turns of the sequences."""
    model.eval()
    truth, predicted = [], []
    for batch in make_batches(model, sequences, 1400, random.Random(0)):
        predicted.append(model([sequence.turns for sequence in batch]).softmax(1))
        truth.append(torch.cat([sequence.targets for sequence in batch]).argmax(1))
    return scores(
        model.spec.labels, torch.cat(truth).numpy(), torch.cat(predicted).numpy()
    ).weighted_f1


def save_trained(model: EmotionModel, out: Path, figures: dict[str, float]) -> None:
    """Write what stage 2 trained: LoRA in bfloat16's range is enough, kept as float16; adapters."""
    out.mkdir(parents=True, exist_ok=True)
    lora = {n: p.detach().half() for n, p in model.llm.named_parameters() if p.requires_grad}
    save_file(lora, out / "lora.safetensors")
    fusion = {n: p.detach().contiguous() for n, p in model.fusion.state_dict().items()}
    save_file(fusion, out / "fusion.safetensors")
    (out / "stage2.json").write_text(json.dumps(figures, indent=2) + "\n")


@contextmanager
def _frozen(module: nn.Module, frozen: bool) -> Iterator[None]:
    module.requires_grad_(not frozen)
    try:
        yield
    finally:
        module.requires_grad_(True)


def _length(model: EmotionModel, sequence: TrainingSequence) -> int:
    return len(model.prompt.build([turn.shape for turn in sequence.turns]).ids)


def train(
    corpora: Corpora,
    spec: ModelSpec,
    options: Stage2Training,
    runs: Path,
    cache: Path,
    seed: int = 1,
) -> None:
    """Read the corpora and the trained encoders below `runs`, and train."""
    torch.manual_seed(seed)
    model = build_model(spec)
    dialogues = read_meld(corpora.meld_train)
    banks = functools.cache(lambda: training_banks(spec, corpora, seed, runs, cache))

    def composed(rng: random.Random) -> list[TrainingSequence]:
        chosen = rng.sample(dialogues, round(len(dialogues) * options.composed_share))
        sequences = [
            drop_modalities(compose(dialogue, banks(), rng), Dropout(), rng) for dialogue in chosen
        ]
        return sequences + solo_sequences(banks(), options.solo_sequences, rng)

    fit(model, dialogues, read_meld(corpora.meld_dev), composed, options, runs / "stage2", seed)


def training_banks(spec: ModelSpec, corpora: Corpora, seed: int, runs: Path, cache: Path) -> Banks:
    """Voices of the training speakers, scored out of fold, and augmented training faces."""
    encoders = load_encoders(spec, runs)
    clips, _ = speaker_split(find_speech(corpora.speech))
    unseen = load_file(runs / "speech" / "out_of_fold.safetensors")
    faces = read_fer2013(corpora.faces, usage="Training")
    return Banks(
        voices=voice_bank(encoders, clips, cache, unseen),
        faces=face_bank(encoders, faces, limit=FACES_PER_LABEL, seed=seed),
    )


def build_model(spec: ModelSpec) -> EmotionModel:
    """The base LLM with fresh LoRA and adapters."""
    llm, tokenizer = load_base(resolve(spec.llm.base))
    return EmotionModel(spec, add_lora(llm, spec.llm), tokenizer)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train."""
    parser = script_parser("training.stage2", __doc__, needs="MELD, FER2013 and speech corpora")
    parser.add_argument("--text-epochs", type=int, default=Stage2Training.text_epochs)
    parser.add_argument("--composed-epochs", type=int, default=Stage2Training.composed_epochs)
    parser.add_argument("--composed-share", type=float, default=Stage2Training.composed_share)
    parser.add_argument("--solo-sequences", type=int, default=Stage2Training.solo_sequences)
    return run_script(parser, arguments, _run)


def _run(job: Job) -> None:
    if job.smoke:
        from training.smoke import Smoke, train_encoders

        train_encoders(Smoke(job.data, job.spec), job.runs, job.cache)
    settings = Stage2Training(
        text_epochs=job.options.text_epochs,
        composed_epochs=job.options.composed_epochs,
        composed_share=job.options.composed_share,
        solo_sequences=job.options.solo_sequences,
    )
    seed = job.options.seed
    train(Corpora.below(job.data), job.spec, settings, job.runs, job.cache, seed)


if __name__ == "__main__":
    sys.exit(main())
