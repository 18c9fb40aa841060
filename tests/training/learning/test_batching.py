"""Every sequence is in exactly one batch, and every process has the same number of batches."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from training.learning.batching import make_batches, share

lengths = st.lists(st.integers(1, 90), max_size=40)


@given(lengths, st.integers(1, 200), st.integers(0, 9))
def test_batches_hold_every_item_once(sizes: list[int], budget: int, seed: int) -> None:
    """Within the budget of padded tokens, but for an item that is longer by itself."""
    items = list(enumerate(sizes))
    batches = make_batches(items, lambda item: item[1], budget, random.Random(seed))
    assert sorted(item for batch in batches for item in batch) == items
    for batch in batches:
        assert len(batch) * max(size for _, size in batch) <= budget or len(batch) == 1
    assert batches == make_batches(items, lambda item: item[1], budget, random.Random(seed))


@given(st.lists(st.integers(), max_size=20), st.integers(1, 5))
def test_processes_share_batches(batches: list[int], processes: int) -> None:
    """In turn, each the same number, the last ones without a batch if there are too few."""
    shares = [share(batches, process, processes) for process in range(processes)]
    assert len({len(own) for own in shares}) == 1
    dealt = [batch for turn in zip(*shares, strict=True) for batch in turn]
    assert dealt[: len(batches)] == batches
    assert dealt[len(batches) :] == [None] * (len(dealt) - len(batches))
    assert len(dealt) - len(batches) < processes
