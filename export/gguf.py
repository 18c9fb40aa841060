"""Turn a packed GGUF language model into plain safetensors, once."""

from __future__ import annotations

from pathlib import Path


def dequantize(gguf: Path, folder: Path) -> None:
    """Write a transformers folder (bfloat16 safetensors, config, tokenizer) from a GGUF file.

    Without this step transformers would keep the packed weights, which are several
    times slower on a CPU and cannot be saved or trained.

    Args:
        gguf: The packed model.
        folder: Where the files go; made if missing.
    """
    # torch and transformers take seconds to import, and only this one preparation needs them.
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it counts one file
    source = str(gguf.parent)
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(
        source,
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
