"""Who sees whom, as the LLM's attention takes it, and an attention that costs less for it.

In an LLM with grouped queries several query heads share one head of keys and values.
transformers copies these for each of them as soon as there is a mask, which at the end of a
long dialogue takes as long as the rest of the layer; torch can do without.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

GROUPED = "grouped_sdpa"
"""Name of `grouped_attention` in transformers."""


def attention_mask(visible: Tensor, embeddings: Tensor) -> Tensor:
    """(B, 1, Q, K) zeros, and the least number of the type where nothing is seen.

    Args:
        visible: (B, Q, K) whether the token of a row sees that of a column.
        embeddings: Give the type and the device.
    """
    mask = torch.zeros(visible.shape, dtype=embeddings.dtype, device=embeddings.device)
    mask.masked_fill_(~visible.to(embeddings.device), torch.finfo(embeddings.dtype).min)
    return mask[:, None]


def grouped_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention of transformers' signature, on shared keys and values as they are.

    Args:
        module: The layer; not needed.
        query: (B, heads, Q, D).
        key: (B, fewer heads, K, D).
        value: As `key`.
        attention_mask: (B, 1, Q, K), or None where each token sees itself and what is before.
        dropout: Of the weights.
        scaling: Of the scores.

    Returns:
        (B, Q, heads, D), and no weights.
    """
    attended = functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=attention_mask,
        dropout_p=dropout,
        scale=scaling,
        is_causal=attention_mask is None and query.shape[2] > 1,
        enable_gqa=True,
    )
    return attended.transpose(1, 2).contiguous(), None


AttentionInterface.register(GROUPED, grouped_attention)
AttentionMaskInterface.register(GROUPED, sdpa_mask)
