"""Packed dialogues against one prompt per utterance: tokens and seconds of an epoch.

    python -m benchmarks.packed --data data --dialogues 40

Both train the same model (the compact spec, words alone, LoRA, AdamW) on the same drawn
dialogues in this process: batches of both alternate, so that whatever else the machine
does slows both. Batches of both have the same budget of padded tokens. Tokens are counted
over the whole training split; seconds are measured on the drawn dialogues and extrapolated
by padded tokens. Without --data the dialogues are synthesised and the figures mean little.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn import functional

from benchmarks.schemes import (
    Sample,
    batches_of,
    packed_samples,
    padded_tokens,
    scored_rows,
    single_samples,
    synthesised_dialogues,
)
from engine.arguments import Parser, run_command
from engine.model.model import EmotionModel, add_lora, load_base
from engine.model.spec import compact
from export.models import resolve
from stream.errors import UserError
from training.datasets.dialogues import Dialogue
from training.datasets.meld import read_meld
from training.progress import Results, progress_bar
from training.settings import Stage2Training

WARM_UP = 2
"""Batches of each scheme before the clock starts."""
LEARNING_RATE = 1e-4
"""What is learnt does not matter here."""


SYNTHESISED = 60
"""Dialogues without --data."""


@dataclass(frozen=True)
class SchemeFigures:
    """One way to train."""

    sequences: int
    """Of an epoch."""
    tokens: int
    """Of an epoch, without padding."""
    padded_tokens: int
    """Of an epoch."""
    measured_tokens: int
    """Of the batches that were timed, padding included."""
    measured_seconds: float

    @property
    def seconds(self) -> float:
        """Of an epoch, extrapolated from the batches that were timed."""
        return self.measured_seconds / self.measured_tokens * self.padded_tokens


@dataclass(frozen=True)
class Comparison:
    """Both ways, side by side."""

    base: str
    dialogues: int
    """That were timed."""
    dialogues_of_epoch: int
    past: int
    threads: int
    batch_tokens: int
    packed: SchemeFigures
    single: SchemeFigures

    @property
    def speedup(self) -> float:
        """How many times faster an epoch is packed."""
        return self.single.seconds / self.packed.seconds

    @property
    def token_ratio(self) -> float:
        """How many times fewer tokens an epoch has packed."""
        return self.single.tokens / self.packed.tokens

    def to_dict(self) -> dict[str, object]:
        """As JSON-safe values, with what is derived."""
        values = dataclasses.asdict(self)
        for name in ("packed", "single"):
            values[name]["seconds"] = getattr(self, name).seconds
        return values | {"speedup": self.speedup, "token_ratio": self.token_ratio}


def compare(
    model: EmotionModel,
    dialogues: Sequence[Dialogue],
    drawn: int,
    past: int = 8,
    batch_tokens: int = Stage2Training.batch_tokens,
    seed: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Count both on all dialogues, and time both on some drawn ones.

    Args:
        model: With LoRA; trained in place.
        dialogues: Of an epoch, with labels of the model's spec.
        drawn: Number of dialogues that are timed.
        past: Utterances before the one that a single prompt is for.
        batch_tokens: Padded tokens of a batch.
        seed: Of the draw.
        clock: Gives seconds.
    """
    chosen = random.Random(seed).sample(list(dialogues), min(drawn, len(dialogues)))
    labels, prompt = model.spec.labels, model.prompt
    epoch, timed = (
        {
            "packed": batches_of(packed_samples(of, labels, prompt), batch_tokens, seed),
            "single": batches_of(single_samples(of, labels, prompt, past), batch_tokens, seed),
        }
        for of in (dialogues, chosen)
    )
    seconds = _time(model, timed, clock)
    figures = {
        name: SchemeFigures(
            sequences=sum(map(len, batches)),
            tokens=sum(sample.tokens for batch in batches for sample in batch),
            padded_tokens=sum(map(padded_tokens, batches)),
            measured_tokens=sum(map(padded_tokens, timed[name])),
            measured_seconds=seconds[name],
        )
        for name, batches in epoch.items()
    }
    return Comparison(
        base=model.spec.llm.base,
        dialogues=len(chosen),
        dialogues_of_epoch=len(dialogues),
        past=past,
        threads=torch.get_num_threads(),
        batch_tokens=batch_tokens,
        packed=figures["packed"],
        single=figures["single"],
    )


def _time(
    model: EmotionModel, timed: dict[str, list[list[Sample]]], clock: Callable[[], float]
) -> dict[str, float]:
    """Seconds that one epoch of the drawn dialogues takes in each scheme."""
    model.train()
    model.fusion.requires_grad_(False)  # as in epochs of words alone
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE)
    for batches in timed.values():
        for batch in batches[:WARM_UP]:
            train_step(model, batch, optimizer)
    seconds = dict.fromkeys(timed, 0.0)
    order = _alternate({name: len(batches) for name, batches in timed.items()})
    with progress_bar() as bar:
        task = bar.add_task("training both ways", total=len(order), note="")
        for name, index in order:
            start = clock()
            train_step(model, timed[name][index], optimizer)
            seconds[name] += clock() - start
            bar.update(task, advance=1)
    return seconds


def train_step(
    model: EmotionModel, batch: Sequence[Sample], optimizer: torch.optim.Optimizer
) -> float:
    """One update; returns the mean loss of the turns that are scored."""
    scores = model([sample.turns for sample in batch])[scored_rows(batch)]
    labels = torch.tensor([label for sample in batch for label in sample.labels])
    loss = functional.cross_entropy(scores, labels)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], 1.0)
    optimizer.step()
    return float(loss.detach())


def _alternate(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Batches of all schemes, each spread evenly over the whole time."""
    places = [
        ((index + 0.5) / count, name, index)
        for name, count in counts.items()
        for index in range(count)
    ]
    return [(name, index) for _, name, index in sorted(places)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, compare, and print."""
    options = _parse(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    try:
        for flag in ("dialogues", "batch_tokens", "threads"):
            if getattr(options, flag) < 1:
                raise UserError(f"--{flag.replace('_', '-')}: at least 1")
        dialogues = _dialogues(options.data)
        model = _build(options.base)
        result = compare(
            model,
            dialogues,
            options.dialogues,
            past=options.past,
            batch_tokens=options.batch_tokens,
            seed=options.seed,
        )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(result.to_dict()))
    else:
        _print(result, Results())
    return 0


def _dialogues(data: Path | None) -> list[Dialogue]:
    if data is None:
        return synthesised_dialogues(SYNTHESISED, random.Random(0))
    return read_meld(data / "meld" / "train_sent_emo.csv")


def _build(base: str) -> EmotionModel:
    """The compact spec on a base, of whatever width and depth it is."""
    llm, tokenizer = load_base(resolve(base))
    spec = compact()
    layers = llm.config.num_hidden_layers
    first = min(spec.llm.lora_first_layer, layers - 1)
    own = dataclasses.replace(
        spec.llm, base=base, hidden_size=llm.config.hidden_size, lora_first_layer=first
    )
    spec = dataclasses.replace(spec, llm=own)
    return EmotionModel(spec, add_lora(llm, spec.llm), tokenizer)


def _print(result: Comparison, console: Console) -> None:
    title = (
        f"{result.base}, an epoch of {result.dialogues_of_epoch} dialogues; seconds extrapolated "
        f"from {result.dialogues}"
    )
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("")
    for name in ("sequences", "tokens", "padded", "seconds", "tokens/s"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = {"packed": result.packed, f"one by one, {result.past} past": result.single}
    for name, one in rows.items():
        speed = one.measured_tokens / one.measured_seconds
        table.add_row(
            name, f"{one.sequences:,}", f"{one.tokens:,}", f"{one.padded_tokens:,}",
            f"{one.seconds:.0f}", f"{speed:.0f}",
        )  # fmt: skip
    table.add_section()
    ratio = f"{result.single.padded_tokens / result.packed.padded_tokens:.2f}"
    table.add_row("ratio", "", f"{result.token_ratio:.2f}", ratio, f"{result.speedup:.2f}", "")
    console.print(table)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m benchmarks.packed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="folder with MELD in meld/ (docs/data.md)")
    parser.add_argument("--dialogues", type=int, default=40, help="that are timed; default 40")
    parser.add_argument("--past", type=int, default=8, help="utterances in a single prompt")
    parser.add_argument("--base", default=compact().llm.base, help="name or path of the base LLM")
    parser.add_argument("--batch-tokens", type=int, default=Stage2Training.batch_tokens)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run_command(main)
