"""A moving average of trained weights: better than the last ones, for no more than a copy.

What a small corpus teaches in its last updates is much noise; the mean over the last hundred
of them lies in the middle of where they go (Izmailov et al., 2018, arXiv 1803.05407).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import nn


class MovingAverage(nn.Module):
    """Of some parameters; its buffers are kept in checkpoints as those of any module."""

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float) -> None:
        """Begin with the parameters as they are."""
        super().__init__()
        self._parameters_followed = list(parameters)  # a list, so that they are not its own
        self._decay = decay
        for index, parameter in enumerate(parameters):
            self.register_buffer(str(index), parameter.detach().clone())

    @torch.no_grad()
    def follow(self, updates: int) -> None:
        """Take in the weights after so many updates; the first ones soon count no more."""
        share = 1 - min(self._decay, (1 + updates) / (10 + updates))
        for mean, parameter in self._pairs():
            mean.lerp_(parameter.detach(), share)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The parameters are the average while this lasts."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for mean, parameter in self._pairs():
            last = parameter.detach().clone()
            parameter.copy_(mean)
            mean.copy_(last)

    def _pairs(self) -> Iterator[tuple[torch.Tensor, nn.Parameter]]:
        return zip(self.buffers(), self._parameters_followed, strict=True)
