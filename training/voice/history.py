"""What was heard of a speaker before each clip: real for dev, drawn at random in training.

Letters in shapes: n clips, W windows in all, S standardised functionals.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.model.speaker import SpeakerScale

MOST_HEARD = 40
"""Longest history in clips that training draws."""
UNKNOWN_SHARE = 0.15
"""Share of the clips in training that are the first of their speaker."""


class SpeakerHistory:
    """Running scales of many clips at once.

    Args:
        windows: (W, S) standardised functionals.
        owner: (W,) clip of each window.
        speakers: Of each clip; the clips of a speaker are in the order they are heard.
    """

    def __init__(self, windows: Tensor, owner: Tensor, speakers: tuple[str, ...]) -> None:
        count = len(speakers)
        zeros = windows.new_zeros(count, windows.shape[1])
        self._windows = torch.bincount(owner, minlength=count)[:, None].float()  # (n, 1)
        self._total = zeros.index_add(0, owner, windows)
        self._squares = zeros.index_add(0, owner, windows.square())
        places: dict[str, list[int]] = {}
        for index, speaker in enumerate(speakers):
            places.setdefault(speaker, []).append(index)
        self._clips = [torch.tensor(own) for own in places.values()]

    def all_before(self) -> SpeakerScale:
        """Before each clip, all earlier ones of its speaker."""
        return self._scale([(own, torch.arange(len(own))) for own in self._clips])

    def some_before(self, heard: int) -> SpeakerScale:
        """Before each clip so many of its speaker, the last ones before the first."""
        return self._scale([(own, torch.full((len(own),), heard)) for own in self._clips])

    def drawn(self, generator: torch.Generator) -> SpeakerScale:
        """Before each clip some of its speaker at random: none, or up to `MOST_HEARD`."""
        draws = []
        for own in self._clips:
            order = own[torch.randperm(len(own), generator=generator)]
            heard = torch.randint(1, MOST_HEARD + 1, (len(own),), generator=generator)
            unknown = torch.rand(len(own), generator=generator) < UNKNOWN_SHARE
            draws.append((order, heard.masked_fill(unknown, 0)))
        return self._scale(draws)

    def _scale(self, histories: list[tuple[Tensor, Tensor]]) -> SpeakerScale:
        """From clips of a speaker in order, and how many are heard before each, cyclically."""
        sums = [self._windows, self._total, self._squares]
        scales = [torch.zeros_like(values) for values in sums]
        for order, heard in histories:
            count = len(order)
            last = torch.arange(count) + count  # in two rounds of the clips
            first = last - heard.clamp(max=count - 1)
            for values, scale in zip(sums, scales, strict=True):
                rounds = values[order].double().repeat(2, 1).cumsum(0)
                rounds = torch.cat([torch.zeros_like(rounds[:1]), rounds])
                scale[order] = (rounds[last] - rounds[first]).to(scale)
        return SpeakerScale(*scales)


def at(scale: SpeakerScale, owner: Tensor) -> SpeakerScale:
    """The scale of each window from those of clips, by the (W,) clips of the windows."""
    count = torch.as_tensor(scale.count)
    return SpeakerScale(count[owner], scale.total[owner], scale.squares[owner])
