"""The model as it is trained: base LLM with LoRA, adapters, and the losses; how it is kept."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import BitsAndBytesConfig

from engine.model.model import EmotionModel, add_lora, load_base
from export.models import resolve
from stream.errors import UserError
from training.device import has_fast_bf16, make_room
from training.learning.checkpoint import gathered, write_tensors
from training.learning.lora_linear import lighten_lora
from training.learning.objectives import Objectives
from training.recipe import Recipe

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
LORA, FUSION, PLACEHOLDERS = "lora.safetensors", "fusion.safetensors", "placeholders.safetensors"


def build_learner(
    recipe: Recipe, start: Path | None = None, *, rank_dropout: float = 0.0
) -> Objectives:
    """The base LLM with fresh LoRA and adapters, on the CPU.

    Args:
        recipe: Names the base, and says how it is kept in memory.
        start: Folder of stage 1 or of a pre-tuning, whose LoRA is gone on with.
        rank_dropout: See `training.learning.lora_linear.lighten_lora`.

    Raises:
        UserError: the base cannot be had, is not as the spec says, or is to be quantised
            without bitsandbytes.
    """
    make_room()  # of an earlier stage's model, where one process does several
    llm, tokenizer = _load(recipe)
    if recipe.settings.trainer.checkpoint_activations:
        llm.activation_checkpointing_enable({"use_reentrant": False})
    try:
        model = EmotionModel(recipe.spec, add_lora(llm, recipe.spec.llm), tokenizer)
        lighten_lora(model.llm, rank_dropout)
    except ValueError as error:
        raise UserError(f"recipe {recipe.name} and its base LLM disagree: {error}") from error
    objectives = Objectives(model)
    if start is not None:
        load_lora(objectives, start / LORA)
    return objectives


def lora_parameters(objectives: Objectives) -> list[nn.Parameter]:
    """What is trained of the LLM."""
    return [p for p in objectives.model.llm.parameters() if p.requires_grad]


def owner(
    recipe: Recipe,
    stage: str,
    seed: int,
    start: Path | None = None,
    *,
    words_alone: bool = False,
) -> str:
    """Identifies what a checkpoint belongs to: all of a recipe that changes a stage's weights.

    The number of processes is not in it, as it changes nothing. Nor is an option that is off, so
    that what was trained before the option existed stays known.

    Args:
        recipe: Of the training.
        stage: `stage1` or `stage2`.
        seed: Of the training.
        start: Folder of the stage before, whose LoRA is gone on with.
        words_alone: Whether of the spec nothing but labels, prompt and LLM matters.
    """
    settings, spec = recipe.settings, {**recipe.spec.to_dict(), "name": ""}
    if words_alone:
        spec = {key: spec[key] for key in ("labels", "prompt", "llm")}
    parts = {
        "stage": stage,
        "seed": seed,
        "corpus": recipe.corpus,
        "spec": spec,
        "settings": dataclasses.asdict(getattr(settings, stage)),
        "dropout": dataclasses.asdict(settings.dropout),
        "precision": settings.trainer.precision,
        "quantization": settings.trainer.quantization,
    }
    if settings.trainer.accumulate > 1:
        parts["accumulate"] = settings.trainer.accumulate
    if settings.distils and stage == "stage2":
        parts["distillation"] = dataclasses.asdict(settings.distillation)
    if settings.pretune.epochs:
        parts["pretune"] = dataclasses.asdict(settings.pretune)
    if stage == "stage2" and settings.stage2.composed_epochs:
        parts["composition"] = dataclasses.asdict(settings.composition)
    if start is not None:
        parts["start"] = hashlib.sha256((start / LORA).read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps(_switched_on(parts), sort_keys=True).encode()).hexdigest()


def _switched_on(options: dict[str, Any]) -> dict[str, Any]:
    """Without zeros, `none` and what is empty."""
    kept = {
        name: _switched_on(value) if isinstance(value, dict) else value
        for name, value in options.items()
    }
    return {name: value for name, value in kept.items() if value and value != "none"}


def save_learned(objectives: Objectives, out: Path, *, write: bool) -> None:
    """Write what was trained: LoRA (float16 is fine enough for it), adapters, placeholders.

    All processes must call it, as gathering shards is collective; one of them writes.
    """
    model = objectives.model
    parts: dict[str, dict[str, Tensor]] = {
        LORA: {n: gathered(p).half() for n, p in model.llm.named_parameters() if p.requires_grad}
    }
    for name, module in ((FUSION, model.fusion), (PLACEHOLDERS, objectives.placeholders)):
        if any(p.requires_grad for p in module.parameters()):
            parts[name] = {key: gathered(value) for key, value in module.state_dict().items()}
    if not write:
        return
    for name, tensors in parts.items():
        write_tensors(out / name, tensors)


@torch.no_grad()
def load_lora(objectives: Objectives, path: Path) -> None:
    """Put LoRA that `save_learned` wrote in place.

    It may be of fewer layers or a lower rank, as a pre-tuning's is: what is more than it has
    stays as it was made, and adds nothing yet.

    Raises:
        UserError: it is damaged, or of layers or a rank that there are not.
    """
    own = {n: p for n, p in objectives.model.llm.named_parameters() if p.requires_grad}
    try:
        saved = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read ({error}): train that stage again") from error
    if not all(name in own and _fits(value, own[name]) for name, value in saved.items()):
        raise UserError(f"{path} is LoRA of another spec: run stage 1 of this recipe again")
    for name, value in saved.items():
        own[name][tuple(slice(size) for size in value.shape)] = value


def _fits(value: Tensor, parameter: Tensor) -> bool:
    return value.ndim == parameter.ndim and all(
        size <= place for size, place in zip(value.shape, parameter.shape, strict=True)
    )


def _load(recipe: Recipe) -> tuple[Any, Any]:
    trainer = recipe.settings.trainer
    dtype = _dtype(trainer.precision)
    quantization = _four_bit(dtype) if trainer.quantization == "4bit" else None
    llm, tokenizer = load_base(resolve(recipe.spec.llm.base), dtype, quantization)
    if dtype == torch.bfloat16 and not torch.cuda.is_available():
        # The fused attention of CPUs is slow in bfloat16: a sixth of the time of an update.
        llm.set_attn_implementation("eager")
    return llm, tokenizer


def _dtype(precision: str) -> torch.dtype:
    if precision == "auto":
        fast = torch.cuda.is_available() or has_fast_bf16()
        return torch.bfloat16 if fast else torch.float32
    return DTYPES[precision]


def _four_bit(dtype: torch.dtype) -> BitsAndBytesConfig:
    """The settings of QLoRA (Dettmers et al., 2023, arXiv 2305.14314)."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(
            "trainer.quantization is 4bit but bitsandbytes is missing: pip install "
            "'bemerc-live[qlora]', or set it to none"
        )
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        # FSDP flattens what is of one type: packed weights must be stored as the others are.
        bnb_4bit_quant_storage=dtype,
    )
