"""Where trained models are scored: on the GPU where there is one."""

from __future__ import annotations

import torch


def scoring_device() -> tuple[torch.device, torch.dtype]:
    """The device, and what the base LLM is kept in there: 7 billion numbers in bf16 fit a GPU."""
    if torch.cuda.is_available():
        return torch.device("cuda"), torch.bfloat16
    return torch.device("cpu"), torch.float32
