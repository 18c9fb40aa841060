"""The moving average of what is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from training.learning.average import MovingAverage
from training.learning.checkpoint import load_checkpoint, save_checkpoint


def followed(values: list[float], decay: float) -> tuple[nn.Parameter, MovingAverage]:
    """A parameter that had these values after one update each, from zero."""
    parameter = nn.Parameter(torch.zeros(1))
    average = MovingAverage([parameter], decay)
    for updates, value in enumerate(values, start=1):
        parameter.data.fill_(value)
        average.follow(updates)
    return parameter, average


def test_the_first_updates_soon_count_no_more() -> None:
    """It begins with a short memory, which grows to that of the decay."""
    parameter, average = followed([1.0, 4.0], decay=0.25)
    with average.in_place():
        # Shares of the new value: 1 - 2/11 at first, then never less than 1 - 0.25.
        first = 9 / 11
        assert parameter.item() == pytest.approx(first + (4 - first) * 0.75)


def test_what_does_not_move_is_its_own_average() -> None:
    """However long it is followed."""
    parameter, average = followed([3.0] * 200, decay=0.99)
    with average.in_place():
        assert parameter.item() == pytest.approx(3.0, rel=1e-4)


def test_training_goes_on_from_the_last_weights() -> None:
    """The average is in place for the scoring alone, each time the same."""
    parameter, average = followed([1.0, 2.0], decay=0.9)
    with average.in_place():
        mean = parameter.item()
    assert 1.0 < mean < 2.0
    assert parameter.item() == 2.0
    with average.in_place():
        assert parameter.item() == mean


def test_it_survives_a_restart(tmp_path: Path) -> None:
    """A checkpoint has it, and nothing of the parameters that it follows."""
    parameter, average = followed([1.0, 2.0], decay=0.9)
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    save_checkpoint(tmp_path / "last.safetensors", {"average": average}, optimizer, {})
    again, restored = followed([7.0], decay=0.9)
    load_checkpoint(tmp_path / "last.safetensors", {"average": restored})
    with average.in_place(), restored.in_place():
        assert again.item() == parameter.item()
    assert again.item() == 7.0
