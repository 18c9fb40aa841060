"""What a training will cost, before any weight is loaded or downloaded.

    python -m training.plan bemerc-meld
    python -m training.plan bemerc-meld --data data --gpus 4 --gpu h100

Parameters are counted on modules without weights. Tokens are counted where --data has the
corpus and this machine has the tokenizer, otherwise estimated from published statistics.
Memory, operations and hours are estimates; docs/cost.md has the formulas.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.arguments import Parser, run_command
from stream.errors import UserError
from training import distil, pretune
from training.datasets.corpora import open_corpus
from training.datasets.pretuning import read_dialogues
from training.planning.hardware import GPUS, Hardware
from training.planning.memory import BYTES, BatchShape, Memory, estimate_memory
from training.planning.parameters import Parameters, count_parameters, language_model
from training.planning.preparation import Preparation, preparations
from training.planning.shapes import base_config, find_tokenizer
from training.planning.stages import (
    EpochPlan,
    plan_distillation,
    plan_pretuning,
    plan_stage1,
    plan_stage2,
)
from training.planning.table import print_tables
from training.planning.tokens import (
    CorpusSizes,
    Presence,
    counted_sizes,
    one_by_one,
    packed,
    published_pretuning,
    published_sizes,
)
from training.progress import Results
from training.recipe import Recipe, add_recipe_arguments, chosen_recipe


@dataclass(frozen=True)
class StagePlan:
    """One stage, all epochs together."""

    name: str
    epochs: tuple[EpochPlan, ...]
    """By kind."""
    tokens: int
    updates: int
    flops: float
    hours: float
    memory: Memory
    """Of each GPU, which has the whole model (one GPU, or DDP)."""
    sharded: Memory | None
    """Of each GPU under FSDP; None on one GPU."""
    fits: bool
    """Whether the smaller of the two fits the GPU."""


@dataclass(frozen=True)
class Plan:
    """A whole training."""

    recipe: str
    base: str
    parameters: Parameters
    hardware: Hardware
    precision: str
    """Of the base and of the forward pass."""
    tokens_estimated: bool
    tokens_source: str
    packed_tokens: int
    """Of an epoch of words, a sequence per dialogue."""
    one_by_one_tokens: int
    """Of the same epoch as a prompt per utterance with 8 past utterances."""
    host_bytes: float
    """RAM of the machine, not of its GPUs: each process reads the whole base before it is sent to
    a GPU or spread over them."""
    stages: tuple[StagePlan, ...]
    before: tuple[Preparation, ...] = ()
    """Steps that come before them."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON-safe values."""
        totals = {"total": self.parameters.total, "trained": self.parameters.trained}
        values = dataclasses.asdict(self)
        values["parameters"] |= totals
        return values


def plan(
    recipe: Recipe,
    sizes: CorpusSizes,
    hardware: Hardware,
    pretuning: CorpusSizes | None = None,
) -> Plan:
    """Work out a training.

    Args:
        recipe: Names the base and the schedule.
        sizes: Of the training split, as `corpus_sizes` gives them.
        hardware: What it is to run on.
        pretuning: Of what is pre-tuned on, as `pretuning_sizes` gives them; None where nothing is.

    Raises:
        UserError: The shape of the base is not known, or is not the spec's.
    """
    if recipe.settings.trainer.precision == "auto":  # the plan is of GPUs
        recipe = recipe.with_settings(trainer={"precision": "bf16"})
    spec = recipe.spec
    whole = _shape_of(recipe)
    parameters, gpus = whole.parameters, hardware.gpus
    counts = [sizes] if pretuning is None else [sizes, pretuning]
    work = []
    if pretuning:
        shared = pretune.shared_recipe(recipe)
        work.append(("pretune", plan_pretuning(shared, pretuning, whole.llm, gpus), whole))
    if recipe.settings.distils:
        large = _shape_of(distil.teacher_recipe(recipe))
        taught = plan_distillation(large.recipe, sizes, large.llm, gpus)
        work.append(("distillation", taught, large))
    work.append(("stage 1", plan_stage1(recipe, sizes, whole.llm, gpus), whole))
    work.append(("stage 2", plan_stage2(recipe, sizes, whole.llm, gpus), whole))
    return Plan(
        recipe=recipe.name,
        base=spec.llm.base,
        parameters=parameters,
        hardware=hardware,
        precision=recipe.settings.trainer.precision,
        tokens_estimated=any(one.estimated for one in counts),
        tokens_source="; ".join(dict.fromkeys(one.source for one in counts)),
        packed_tokens=sum(one.tokens for one in packed(sizes, spec, Presence())),
        one_by_one_tokens=sum(one.tokens for one in one_by_one(sizes, spec, Presence())),
        host_bytes=gpus * parameters.base * BYTES[recipe.settings.trainer.precision],
        stages=tuple(
            _stage(name, epochs, shape, hardware) for name, epochs, shape in work if epochs
        ),
        before=preparations(recipe, sum(map(len, sizes.dialogues)), hardware),
    )


@dataclass(frozen=True)
class _Shape:
    """An LLM that is trained."""

    recipe: Recipe
    config: Any
    llm: Any
    """Without weights."""
    parameters: Parameters


def _shape_of(recipe: Recipe) -> _Shape:
    """Of the recipe's base.

    Raises:
        UserError: It is not known, or is not the spec's.
    """
    spec = recipe.spec
    config = base_config(spec.llm.base)
    if config.hidden_size != spec.llm.hidden_size:
        raise UserError(
            f"{spec.llm.base} is {config.hidden_size} wide and model.llm.hidden_size is "
            f"{spec.llm.hidden_size}: set it to {config.hidden_size}"
        )
    try:
        llm = language_model(config, spec.llm)
    except ValueError as error:
        raise UserError(f"{recipe.name}: {error}") from error
    return _Shape(recipe, config, llm, count_parameters(spec, llm))


def _stage(name: str, epochs: Sequence[EpochPlan], shape: _Shape, hardware: Hardware) -> StagePlan:
    recipe, trainer = shape.recipe, shape.recipe.settings.trainer
    largest = BatchShape(
        max(kind.largest.padded_tokens for kind in epochs),
        max(kind.largest.logits for kind in epochs),
    )

    def memory(shards: int) -> Memory:
        return estimate_memory(
            shape.parameters, shape.config, recipe.spec.llm, trainer, largest, shards
        )

    whole = memory(1)
    sharded = memory(hardware.gpus) if hardware.gpus > 1 else None
    flops = sum(kind.count * kind.flops for kind in epochs)
    return StagePlan(
        name=name,
        epochs=tuple(epochs),
        tokens=sum(kind.count * kind.tokens for kind in epochs),
        updates=sum(kind.count * kind.updates for kind in epochs),
        flops=flops,
        hours=hardware.hours(flops, trainer.precision),
        memory=whole,
        sharded=sharded,
        fits=(sharded or whole).total <= hardware.memory,
    )


def corpus_sizes(recipe: Recipe, data: Path | None) -> CorpusSizes:
    """Token counts of the recipe's training split.

    Args:
        recipe: Names the corpus.
        data: Folder of corpora, in the layout of docs/data.md; None: published statistics.

    Raises:
        UserError: The corpus is not there, or nothing is published of it.
    """
    if data is None:
        published = published_sizes(recipe.corpus, recipe.spec)
        if published is None:
            raise UserError(
                f"no statistics of {recipe.corpus} are known: give its folder as --data"
            )
        return published
    folder = data / recipe.corpus
    corpus = open_corpus(recipe.corpus, folder, recipe.settings.clips.least)
    dialogues = corpus.splits.get("train")
    if not dialogues:
        raise UserError(f"{folder} has no train split: see docs/data.md for where it belongs")
    return counted_sizes(dialogues, recipe.spec, find_tokenizer(recipe.spec.llm.base))


def pretuning_sizes(recipe: Recipe, data: Path | None) -> CorpusSizes | None:
    """Token counts of what the recipe pre-tunes on; None where it does not.

    Args:
        recipe: Names the corpora.
        data: Folder of corpora; None, or without these: published statistics.
    """
    settings = recipe.settings.pretune
    if not settings.epochs:
        return None
    spec = pretune.shared_recipe(recipe).spec
    if data is None or not all((data / name).is_dir() for name in settings.corpora):
        return published_pretuning(settings, spec)
    dialogues = read_dialogues(settings, data, "train")
    return counted_sizes(dialogues, spec, find_tokenizer(spec.llm.base))


def print_plan(recipe: Recipe, data: Path | None = None, gpus: int = 1) -> None:
    """Print the plan of a recipe on standard output; for `--plan` of the training commands.

    Raises:
        UserError: See `plan` and `corpus_sizes`.
    """
    print_tables(plan_on(recipe, data, _hardware(gpus=gpus)), Results())


def plan_on(recipe: Recipe, data: Path | None, hardware: Hardware) -> Plan:
    """Work out a training on the corpora at hand, or on published statistics of them.

    Raises:
        UserError: See `plan` and `corpus_sizes`.
    """
    sizes, pretuning = corpus_sizes(recipe, data), pretuning_sizes(recipe, data)
    return plan(recipe, sizes, hardware, pretuning)


def _hardware(**values: Any) -> Hardware:
    try:
        return Hardware(**values)
    except ValueError as error:
        raise UserError(str(error)) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and print the plan."""
    options = _parse(arguments)
    try:
        hardware = _hardware(
            gpu=options.gpu,
            gpus=options.gpus,
            utilisation=options.utilisation,
            memory_bytes=1e9 * options.gpu_memory,
        )
        recipe = chosen_recipe(options)
        made = plan_on(recipe, options.data, hardware)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(made.to_dict()))
    else:
        print_tables(made, Results())
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m training.plan",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_recipe_arguments(parser)
    parser.add_argument("--data", type=Path, help="folder of corpora (docs/data.md)")
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--gpu", default="a100", help=f"{', '.join(GPUS)}; default a100")
    parser.add_argument(
        "--gpu-memory", type=float, default=0, metavar="GB", help="of each GPU, if not the usual"
    )
    parser.add_argument(
        "--utilisation", type=float, default=0.4, help="share of the peak; default 0.4"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run_command(main)
