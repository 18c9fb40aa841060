"""The shape of a base LLM, and its tokenizer, without its weights and without a download."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from transformers import AutoConfig, AutoTokenizer

from export.models import cache_folder
from export.registry import REGISTRY
from stream.errors import UserError

PUBLISHED: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # LLaMA 2 7B (Touvron et al., 2023, arXiv 2307.09288), which Vicuna-v1.5 was tuned from.
        "lmsys/vicuna-7b-v1.5": {
            "vocab_size": 32000,
            "hidden_size": 4096,
            "intermediate_size": 11008,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
        },
        # SmolLM2-135M (Allal et al., 2025, arXiv 2502.02737), as in the config of its weights.
        "smollm2-135m-instruct": {
            "vocab_size": 49152,
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "tie_word_embeddings": True,
        },
        # Qwen2.5-1.5B (Qwen Team, 2024, arXiv 2412.15115), as in the config of its weights; the
        # file that they come from has its output layer apart.
        "qwen2.5-coder-1.5b-instruct": {
            "model_type": "qwen2",
            "vocab_size": 151936,
            "hidden_size": 1536,
            "intermediate_size": 8960,
            "num_hidden_layers": 28,
            "num_attention_heads": 12,
            "num_key_value_heads": 2,
        },
        # What training/smoke.py writes, with the vocabulary of SmolLM2.
        "smoke-base": {
            "vocab_size": 49152,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
        },
    }
)
"""Shapes by the name that a spec gives its base; a LLaMA's without `model_type`."""


def base_config(base: str) -> Any:
    """The configuration of a base by name or path.

    Args:
        base: `llm.base` of a spec.

    Raises:
        UserError: Its shape is not known here, or is not one that transformers reads.
    """
    if base in PUBLISHED:
        return AutoConfig.for_model(**{"model_type": "llama", **PUBLISHED[base]})
    folder = _folder(base)
    if folder is None:
        raise UserError(
            f"the shape of {base} is not known on this machine: give model.llm.base the path of "
            "a folder with the config.json of that model (weights are not needed), or one of "
            f"{', '.join(PUBLISHED)}"
        )
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{folder / 'config.json'} is not a model's shape: {reason}") from error


def find_tokenizer(base: str) -> Any | None:
    """The tokenizer of a base, where this machine has it already."""
    folder = _folder(base)
    if folder is None or not any(folder.glob("tokenizer*")):
        return None
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _folder(base: str) -> Path | None:
    """Where the config.json of a base is, whether or not its weights are beside it."""
    if base in REGISTRY:
        folder = REGISTRY[base].folder(cache_folder())
        return folder if (folder / "config.json").exists() else None
    path = Path(base).expanduser()
    if (path / "config.json").exists():
        return path
    try:
        cached = try_to_load_from_cache(base, "config.json")
    except HFValidationError:  # a path, and not one that exists
        return None
    return Path(cached).parent if isinstance(cached, str) else None
