"""Keys and values of an LLM in memory that is written to, not copied.

transformers' own cache copies all of a dialogue's keys and values, some 50 MB, whenever a few
tokens are added: time at the end of every utterance, and blocks of memory of ever other sizes
that the allocator cannot use again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer

from engine.giving_up import Check, go_on

STEP = 512
"""Tokens by which the memory grows."""


class KvBuffer(Cache):
    """Of all layers, with a slot for each token in the order of reading."""

    def __init__(self, config: Any) -> None:
        """Nothing is kept yet.

        Args:
            config: Of the LLM.
        """
        layers = range(config.num_hidden_layers)
        self._own = [_Layer() for _ in layers]
        super().__init__(layers=list(self._own))

    @contextmanager
    def checked(self, check: Check) -> Iterator[None]:
        """Call something at every layer of a forward pass; what it raises ends the pass."""
        for layer in self._own:
            layer.check = check
        try:
            yield
        finally:
            for layer in self._own:
                layer.check = go_on

    def keep(self, slots: Sequence[int]) -> None:
        """Keep some tokens alone, which move up into the first slots.

        Args:
            slots: Where they are, ascending.
        """
        moved = next((to for to, slot in enumerate(slots) if slot != to), len(slots))
        for layer in self._own:
            layer.keep(torch.tensor(slots[moved:], dtype=torch.long), moved)


class _Layer(DynamicLayer):  # type: ignore[no-untyped-call]
    """(B, heads, T, D) keys and values as the first T places of a longer memory."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.check: Check = go_on

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Add tokens; returns all."""
        self.check()
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._memory = [key_states[:, :, :0], value_states[:, :, :0]]
            self._length = 0
        begin, self._length = self._length, self._length + key_states.shape[2]
        if self._length > self._memory[0].shape[2]:
            self._grow(begin)
        for memory, states in zip(self._memory, (key_states, value_states), strict=True):
            memory[:, :, begin : self._length] = states
        return self._show()

    def keep(self, slots: Tensor, first: int) -> None:
        """Move what is in some slots to the first ones and what follows; drop the rest."""
        if not self.is_initialized:
            return
        for memory in self._memory:
            memory[:, :, first : first + len(slots)] = memory[:, :, slots]
        self._length = first + len(slots)
        self._show()

    def _grow(self, kept: int) -> None:
        for index, old in enumerate(self._memory):
            rows, heads, _, width = old.shape
            room = -(-self._length // STEP) * STEP
            self._memory[index] = old.new_empty(rows, heads, room, width)
            self._memory[index][:, :, :kept] = old[:, :, :kept]

    def _show(self) -> tuple[Tensor, Tensor]:
        keys, values = (memory[:, :, : self._length] for memory in self._memory)
        self.keys, self.values = keys, values
        return keys, values
