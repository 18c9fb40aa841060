"""The two encoders: frames to features (DenseNet) and sound to features (openSMILE).

Letters in shapes: B pictures, W windows, D features, E emotions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from opensmile.core.define import FeatureLevel, FeatureSet
from opensmile.core.smile import Smile
from torch import Tensor, nn

from engine.model.densenet import DenseNet
from engine.model.fusion import pool_frames
from engine.model.inputs import audio_windows, clean_samples
from engine.model.spec import AudioSpec, ModelSpec
from stream.media import SAMPLE_RATE, Samples


class OpenSmile:
    """openSMILE functionals of windows (Eyben et al., 2010; research licence)."""

    def __init__(self, spec: AudioSpec) -> None:
        """Load the feature set of `spec`."""
        self._smile = Smile(
            feature_set=FeatureSet[spec.feature_set],
            feature_level=FeatureLevel.Functionals,
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
    """Standardises functionals, and has a small network from them to emotions.

    `standardise` is what the adapter reads; `forward` gives the label scores. With 0 as
    `hidden` there is no network, and the functionals are only standardised.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: int, hidden: int, emotions: int, dropout: float = 0.0) -> None:
        """Untrained; `fit_scale` sets the standardisation."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.layers = nn.Sequential()
        if hidden:
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


@dataclass(frozen=True, eq=False)
class Encoded:
    """One modality of one utterance, ready for its adapter."""

    tokens: Tensor
    """(K, D) what the adapter reads."""
    scores: Tensor | None
    """(E,) log-probabilities of this encoder alone; None without a classifier."""


class Encoders:
    """Both encoders of a model; the same object serves training, evaluation and live."""

    def __init__(
        self, spec: ModelSpec, densenet: DenseNet, speech: SpeechEncoder, *, frozen: bool = True
    ) -> None:
        """Networks of the spec; with `frozen` off what they give has a gradient.

        Running means of the DenseNet are never updated: batches of a few clips are too
        much alike.
        """
        self.spec = spec
        self.densenet = densenet.eval().requires_grad_(not frozen)
        self.speech = speech.eval().requires_grad_(not frozen)
        self._mode: Callable[[], contextlib.AbstractContextManager[object]]
        self._mode = torch.inference_mode if frozen else contextlib.nullcontext
        self._smile: OpenSmile | None = None

    def to(self, device: torch.device) -> Encoders:
        """Both networks on a device; what they give stays there."""
        self.densenet.to(device)
        self.speech.to(device)
        return self

    def video(self, pictures: Tensor) -> Encoded:
        """Encode (F, C, S, S) pictures of an utterance, in order of time."""
        features, logits = self.frames(pictures)
        return self.pool(features, logits)

    def frames(self, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """DenseNet features (F, D) and, with a classifier, label scores (F, E) of pictures."""
        pictures = pictures.to(self.speech.mean)
        with self._mode():
            parts = [self.densenet.encode(part) for part in torch.split(pictures, 64)]
            features = torch.cat(parts)
            return features, self.densenet.classifier(features) if self.spec.evidence else None

    def pool(self, features: Tensor, logits: Tensor | None) -> Encoded:
        """Video tokens of an utterance from what `frames` gave for it."""
        tokens = self.spec.video.tokens
        with self._mode():
            pooled = pool_frames(features, tokens)
            if logits is None:
                return Encoded(pooled, None)
            means = pool_frames(logits, tokens)[:, : logits.shape[1]]
            joined = torch.cat([pooled, means.log_softmax(1)], 1)
            return Encoded(joined, _utterance_scores(logits))

    def audio(self, samples: Samples) -> Encoded:
        """Encode sound (N,) of an utterance, N at least 1."""
        self._smile = self._smile or OpenSmile(self.spec.audio)
        windows = audio_windows(clean_samples(samples), self.spec.audio)
        return self.functionals(torch.from_numpy(self._smile(windows)))

    def functionals(self, functionals: Tensor, logits: Tensor | None = None) -> Encoded:
        """Audio tokens from (W, D) functionals; `logits` (W, E) replace the encoder's own."""
        with self._mode():
            standardised = self.speech.standardise(functionals.to(self.speech.mean))
            if not (self.spec.evidence and self.spec.audio.hidden):
                return Encoded(standardised, None)
            logits = self.speech.layers(standardised) if logits is None else logits
            joined = torch.cat([standardised, logits.log_softmax(1)], 1)
            return Encoded(joined, _utterance_scores(logits))


def _utterance_scores(logits: Tensor) -> Tensor:
    """Log-probabilities of an utterance from (F, E) logits of its frames or windows: (E,)."""
    return logits.mean(0).log_softmax(0)
