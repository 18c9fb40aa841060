"""Which functionals tell emotions apart whoever speaks, chosen on training speakers.

ComParE has thousands, most of them of little use or nearly copies. A functional counts by
its share of variance between emotions after each speaker's mean and deviation are taken out
(eta squared, the analysis of variance), averaged over corpora, so that what tells only one
language or recording room does not win. From the best down, those are kept that are not
nearly a copy of one already kept.

Letters in shapes: n clips, D functionals, S that are kept.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.voice.clips import Clips, mean_by

COPY = 0.95
"""Absolute correlation from which on a functional is a copy of another."""
CORRELATED_CLIPS = 2000
"""At most so many clips, evenly spread, tell correlations."""


def select_functionals(clips: Clips, count: int) -> Tensor:
    """Places of the functionals that are kept, ascending: (S,).

    Raises:
        ValueError: there are not so many that differ.
    """
    means = mean_by(clips.windows, clips.owner, len(clips.labels))
    relative = _relative_to_speaker(means, clips.speakers)
    corpora = sorted(set(clips.corpora))
    shares = [
        _eta_squared(relative[own], clips.labels[own]) for own in map(clips.of_corpus, corpora)
    ]
    chosen = _distinct(relative, torch.stack(shares).mean(0).argsort(descending=True), count)
    if len(chosen) < count:
        raise ValueError(f"only {len(chosen)} functionals differ: lower audio.selected to that")
    return torch.tensor(sorted(chosen))


def _relative_to_speaker(means: Tensor, speakers: tuple[str, ...]) -> Tensor:
    """(n, D) in deviations from the speaker's mean, clipped at 5."""
    relative = torch.zeros_like(means)
    for speaker in sorted(set(speakers)):
        own = torch.tensor([name == speaker for name in speakers])
        centred = means[own] - means[own].mean(0)
        deviation = centred.square().mean(0).sqrt()
        relative[own] = (centred / deviation.clamp_min(1e-9)).clamp(-5, 5)
    return relative


def _eta_squared(values: Tensor, labels: Tensor) -> Tensor:
    """Share of the variance that is between labels: (n, D), (n,) -> (D,)."""
    centred = values - values.mean(0)
    between = torch.zeros_like(centred[0])
    for label in torch.unique(labels):
        own = centred[labels == label]
        between += len(own) * own.mean(0).square()
    return between / centred.square().sum(0).clamp_min(1e-6)


def _distinct(values: Tensor, order: Tensor, count: int) -> list[int]:
    """The first `count` columns of (n, D) in an order that are no copies of earlier ones."""
    rows = values[:: -(-len(values) // CORRELATED_CLIPS)]
    columns = rows - rows.mean(0)
    lengths = columns.norm(dim=0)
    columns = (columns / lengths.clamp_min(1e-6)).T  # (D, n)
    kept: list[int] = []
    known = columns.new_zeros(count, columns.shape[1])
    for index in order[(lengths > 1e-3)[order]].tolist():
        if len(kept) == count:
            break
        if (known[: len(kept)] @ columns[index]).abs().gt(COPY).any():
            continue
        known[len(kept)] = columns[index]
        kept.append(index)
    return kept
