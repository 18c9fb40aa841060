"""Sequences of like length together, within a budget of padded tokens."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def make_batches(
    items: Sequence[Item], length: Callable[[Item], int], tokens: int, rng: random.Random
) -> list[list[Item]]:
    """Batches of little padding, in random order.

    Args:
        items: What to batch; each is in exactly one batch.
        length: Tokens of an item.
        tokens: Padded tokens of a batch at most; a longer item is a batch of its own.
        rng: Breaks ties of length, and shuffles the batches.
    """
    sized = [(length(item), rng.random(), item) for item in items]
    batches: list[list[Item]] = []
    batch: list[Item] = []
    for size, _, item in sorted(sized, key=lambda one: one[:2]):
        if batch and size * (len(batch) + 1) > tokens:
            batches.append(batch)
            batch = []
        batch.append(item)
    if batch:
        batches.append(batch)
    rng.shuffle(batches)
    return batches


def share(batches: Sequence[Item], process: int, processes: int) -> list[Item | None]:
    """The batches of one process, each process getting the same number; None is no batch."""
    padded = [*batches, *[None] * (-len(batches) % processes)]
    return padded[process::processes]
