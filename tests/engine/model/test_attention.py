"""Attention on shared keys and values is that on copies of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.model.attention import attention_mask, grouped_attention


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("tokens", [1, 7])
def test_grouped_is_repeated(masked: bool, tokens: int) -> None:
    """With a mask, without one, and for a single token that sees all that is cached."""
    torch.manual_seed(0)
    cached = 5 if masked or tokens == 1 else 0
    query = torch.randn(2, 6, tokens, 8)
    key, value = (torch.randn(2, 2, cached + tokens, 8) for _ in range(2))
    visible = torch.ones(2, tokens, cached + tokens, dtype=torch.bool).tril(cached)
    mask = attention_mask(visible, query)
    found, weights = grouped_attention(
        nn.Identity(), query, key, value, mask if masked else None, scaling=0.3
    )
    expected = functional.scaled_dot_product_attention(
        query,
        key.repeat_interleave(3, 1),
        value.repeat_interleave(3, 1),
        attn_mask=mask,
        scale=0.3,
    )
    torch.testing.assert_close(found, expected.transpose(1, 2))
    assert weights is None
