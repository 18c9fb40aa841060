"""Clips keep their windows, and the figure counts every label alike."""

from __future__ import annotations

import pytest
import torch

from training.voice.clips import Clips, mean_by, unweighted_accuracy


def test_unweighted_accuracy_is_the_mean_recall_of_each_corpus() -> None:
    """Labels that are rare count as much as the others."""
    labels = torch.tensor([0, 1, 1, 1, 0])
    corpora = ("a", "a", "a", "a", "b")
    clips = Clips(torch.zeros(5, 2), torch.arange(5), labels, corpora, corpora)
    figures = unweighted_accuracy(torch.tensor([0, 1, 1, 0, 1]), clips)
    assert figures == {"a": pytest.approx((1 + 2 / 3) / 2), "b": 0}


def test_windows_are_averaged_by_clip() -> None:
    """In the order of the clips, however many windows each has."""
    values = torch.tensor([[3.0, 0], [0, 2], [0, 1]])
    assert mean_by(values, torch.tensor([0, 0, 1]), 2).tolist() == [[1.5, 1], [0, 1]]
