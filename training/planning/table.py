"""A plan as tables for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from training.planning.preparation import duration

if TYPE_CHECKING:
    from training.plan import Plan, StagePlan
    from training.planning.memory import Memory

MEMORY_ROWS = {
    "weights": "weights",
    "gradients": "gradients",
    "optimizer": "AdamW",
    "activations": "activations",
    "logits": "logits",
    "overhead": "CUDA, work space",
    "total": "total",
}


SUMMED = ("tokens", "updates", "flops", "hours")
"""Figures of stages that make sense as a sum."""


def print_tables(plan: Plan, console: Console) -> None:
    """Print parameters, work and memory."""
    console.print(_parameters(plan))
    console.print(_before(plan))
    console.print(_work(plan))
    console.print(_memory(plan))
    for line in _remarks(plan):
        console.print(line, highlight=False, soft_wrap=True)


def _parameters(plan: Plan) -> Table:
    table = _table(f"{plan.recipe}: parameters", "part", "parameters", "")
    parameters = plan.parameters
    rows = {
        plan.base: (parameters.base, "frozen"),
        "LoRA": (parameters.lora, "trained"),
        "adapters and learned tokens": (parameters.fusion + parameters.placeholders, "trained"),
        "encoders": (parameters.encoders, "run once, cached"),
        "total": (parameters.total, f"{parameters.trained / parameters.total:.2%} trained"),
    }
    for name, (count, remark) in rows.items():
        table.add_row(name, f"{count:,}", remark)
    return table


def _before(plan: Plan) -> Table:
    table = _table("before the stages (rough)", "step", "time")
    table.add_column("of what", overflow="fold")
    for step in plan.before:
        time = "not known" if step.hours is None else duration(step.hours)
        table.add_row(step.name, time, f"{step.amount}{f' ({step.where})' if step.where else ''}")
    return table


def _work(plan: Plan) -> Table:
    title = "work (tokens estimated)" if plan.tokens_estimated else "work"
    table = _table(title, "stage", "tokens", "padded", "updates", "FLOPs", "time")
    for stage in plan.stages:
        for kind in stage.epochs:
            table.add_row(
                f"{stage.name}: {kind.count} x {kind.name}",
                f"{kind.count * kind.tokens:,}",
                f"{kind.count * kind.padded_tokens:,}",
                f"{kind.count * kind.updates:,}",
                f"{kind.count * kind.flops:.1e}",
                duration(plan.hardware.hours(kind.count * kind.flops, plan.precision)),
            )
    table.add_section()
    sums = {key: sum(getattr(stage, key) for stage in plan.stages) for key in SUMMED}
    table.add_row(
        "all", f"{sums['tokens']:,}", "", f"{sums['updates']:,}", f"{sums['flops']:.1e}",
        duration(sums["hours"]),
    )  # fmt: skip
    return table


def _memory(plan: Plan) -> Table:
    columns = {name: memory for stage in plan.stages for name, memory in _columns(stage)}
    table = _table("memory of each GPU, GB (estimated)", "", *columns)
    for key, wording in MEMORY_ROWS.items():
        values = [getattr(memory, key) / 1e9 for memory in columns.values()]
        table.add_row(wording, *(f"{value:.2f}" for value in values))
    return table


def _columns(stage: StagePlan) -> list[tuple[str, Memory]]:
    if stage.sharded is None:
        return [(stage.name, stage.memory)]
    return [(f"{stage.name} DDP", stage.memory), (f"{stage.name} FSDP", stage.sharded)]


def _remarks(plan: Plan) -> list[str]:
    hardware = plan.hardware
    how = "estimated from" if plan.tokens_estimated else "of the corpus,"
    ratio = plan.one_by_one_tokens / plan.packed_tokens
    lines = [
        f"Tokens {how} {plan.tokens_source}.",
        f"Words alone take {plan.packed_tokens:,} tokens an epoch, {ratio:.1f} times fewer than "
        f"a prompt per utterance with 8 past utterances ({plan.one_by_one_tokens:,}).",
        f"Time on {hardware.gpus} x {hardware.gpu} at {hardware.utilisation:.0%} of its peak, "
        "without calibration and evaluation.",
    ]
    if hardware.gpus > 1:
        lines.append(
            f"Updates are as many as on one GPU: the {hardware.gpus} share out the sequences of "
            "each batch."
        )
    lines.append(
        f"Loading needs {plan.host_bytes / 1e9:.3g} GB of the machine's RAM: each process reads "
        "the whole base first."
    )
    for stage in plan.stages:
        if not stage.fits:
            lines.append(
                f"{stage.name} does not fit {hardware.memory / 1e9:g} GB: lower "
                f"{stage.name.replace(' ', '')}.batch_tokens, set "
                "trainer.checkpoint_activations = true or trainer.quantization = '4bit', "
                "or use FSDP on more GPUs."
            )
    return lines


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
