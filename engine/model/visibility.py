"""Who sees whom, as the LLM's attention takes it."""

from __future__ import annotations

import torch
from torch import Tensor


def attention_mask(visible: Tensor, embeddings: Tensor) -> Tensor:
    """(B, 1, Q, K) zeros, and the least number of the type where nothing is seen.

    Args:
        visible: (B, Q, K) whether the token of a row sees that of a column.
        embeddings: Give the type and the device.
    """
    mask = torch.zeros(visible.shape, dtype=embeddings.dtype, device=embeddings.device)
    mask.masked_fill_(~visible.to(embeddings.device), torch.finfo(embeddings.dtype).min)
    return mask[:, None]
