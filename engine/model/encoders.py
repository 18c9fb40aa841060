"""The two encoders: frames to features (DenseNet) and sound to features (openSMILE).

Letters in shapes: B pictures, W windows, D features, E emotions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import opensmile
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.model.spec import AudioSpec
from stream.media import SAMPLE_RATE, Samples


class OpenSmile:
    """openSMILE functionals of windows (Eyben et al., 2010; research licence)."""

    def __init__(self, spec: AudioSpec) -> None:
        """Load the feature set of `spec`."""
        self._smile = opensmile.Smile(
            feature_set=opensmile.FeatureSet[spec.feature_set],
            feature_level=opensmile.FeatureLevel.Functionals,
        )
        self.features = spec.features

    def __call__(self, windows: Sequence[Samples]) -> NDArray[np.float32]:
        """Functionals of each window: W arrays (N,) -> (W, D); undefined ones are 0."""
        out = np.zeros((len(windows), self.features), np.float32)
        for index, window in enumerate(windows):
            values = self._smile.process_signal(window, SAMPLE_RATE).to_numpy()[0]
            out[index] = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        return out


class SpeechEncoder(nn.Module):
    """A small network from standardised functionals to emotions and back to a token.

    `standardise` is also what the adapter reads; `forward` gives the label scores.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: int, hidden: int, emotions: int, dropout: float = 0.0) -> None:
        """Untrained; `fit_scale` sets the standardisation."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.layers = nn.Sequential(
            nn.Linear(features, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, emotions),
        )

    def fit_scale(self, functionals: Tensor) -> None:
        """Take mean and deviation of (W, D) training functionals."""
        self.mean.copy_(functionals.mean(0))
        self.deviation.copy_(functionals.std(0).clamp_min(1e-6))

    def standardise(self, functionals: Tensor) -> Tensor:
        """(W, D) functionals -> (W, D), outliers clipped at 5 deviations."""
        return ((functionals - self.mean) / self.deviation).clamp(-5, 5)

    def forward(self, functionals: Tensor) -> Tensor:
        """Label scores of windows: (W, D) -> (W, E)."""
        return self.layers(self.standardise(functionals))  # type: ignore[no-any-return]
