"""The buffer holds what transformers' own cache would, and what is kept moves up."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from transformers import DynamicCache

from engine.model.kv_buffer import STEP, KvBuffer

CONFIG = SimpleNamespace(num_hidden_layers=2)


def states(count: int) -> torch.Tensor:
    """Of so many tokens in two heads."""
    return torch.randn(1, 2, count, 4, generator=torch.Generator().manual_seed(count))


def test_it_is_the_same_as_the_usual_cache() -> None:
    """Also where it has to grow."""
    ours, usual = KvBuffer(CONFIG), DynamicCache()
    for count in (3, 1, STEP, 2, 2 * STEP):
        for layer in range(2):
            given = layer + states(count), states(count) - layer
            found, expected = ours.update(*given, layer), usual.update(*given, layer)
            for one, other in zip(found, expected, strict=True):
                torch.testing.assert_close(one, other)
    assert ours.get_seq_length() == usual.get_seq_length() == 3 * STEP + 6


def test_what_is_kept_moves_up() -> None:
    """And what comes next follows it."""
    buffer, first, more = KvBuffer(CONFIG), states(6), states(2)
    for layer in range(2):
        buffer.update(first, -first, layer)
    buffer.keep([0, 1, 4, 5])
    for layer in range(2):
        keys, values = buffer.update(more, -more, layer)
        expected = torch.cat([first[:, :, [0, 1, 4, 5]], more], 2)
        torch.testing.assert_close(keys, expected)
        torch.testing.assert_close(values, -expected)


def test_nothing_can_be_kept_of_nothing() -> None:
    """Before the first token there is no memory."""
    buffer = KvBuffer(CONFIG)
    buffer.keep([])
    assert buffer.get_seq_length() == 0
