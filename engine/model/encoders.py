"""The two encoders: frames to features (DenseNet) and sound to features (openSMILE).

Letters in shapes: B pictures, W windows, D features, S features that are kept of them,
E emotions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.model.densenet import DenseNet
from engine.model.fusion import pool_frames
from engine.model.inputs import audio_windows, clean_samples, window_starts
from engine.model.prosody import ProsodyEncoder
from engine.model.smile import OpenSmile
from engine.model.speaker import SpeakerScale
from engine.model.spec import AudioSpec, ModelSpec
from stream.media import Samples


class SpeechEncoder(nn.Module):
    """Standardises functionals, and has a small network from them to emotions.

    `describe` is what the adapter and the network read; `layers` gives the label scores.
    With 0 as `hidden` there is no network, and the functionals are only standardised.
    """

    mean: Tensor
    deviation: Tensor
    columns: Tensor | None

    def __init__(
        self,
        features: int,
        hidden: int,
        emotions: int,
        dropout: float = 0.0,
        *,
        selected: int = 0,
        speaker_normalised: bool = False,
    ) -> None:
        """Untrained; `select` and `fit_scale` set the selection and the standardisation."""
        super().__init__()
        kept = selected or features
        self.speaker_normalised = speaker_normalised
        self.register_buffer("columns", torch.arange(selected) if selected else None)
        self.register_buffer("mean", torch.zeros(kept))
        self.register_buffer("deviation", torch.ones(kept))
        self.layers = nn.Sequential()
        if hidden:
            self.layers = nn.Sequential(
                nn.Linear(kept * (2 if speaker_normalised else 1), hidden),
                nn.GELU(),
                nn.Dropout(dropout),
                nn.Linear(hidden, hidden),
                nn.GELU(),
                nn.Dropout(dropout),
                nn.Linear(hidden, emotions),
            )

    @classmethod
    def of(cls, spec: AudioSpec, emotions: int, dropout: float = 0.0) -> SpeechEncoder:
        """Of the shape that a spec says, untrained."""
        return cls(
            spec.features,
            spec.hidden,
            emotions,
            dropout,
            selected=spec.selected,
            speaker_normalised=spec.speaker_normalised,
        )

    def select(self, columns: Tensor) -> None:
        """Keep these (S,) functionals, in ascending order of their places.

        Raises:
            ValueError: they are not as many as this encoder keeps.
        """
        if self.columns is None or columns.shape != self.columns.shape:
            kept = "all" if self.columns is None else len(self.columns)
            raise ValueError(f"{len(columns)} functionals were chosen, the spec keeps {kept}")
        self.columns.copy_(columns.sort().values)

    def fit_scale(self, functionals: Tensor) -> None:
        """Take mean and deviation of (W, D) training functionals."""
        kept = self._keep(functionals)
        self.mean.copy_(kept.mean(0))
        self.deviation.copy_(kept.std(0).clamp_min(1e-6))

    def standardise(self, functionals: Tensor) -> Tensor:
        """(W, D) functionals -> (W, S), outliers clipped at 5 deviations."""
        return ((self._keep(functionals) - self.mean) / self.deviation).clamp(-5, 5)

    def describe(self, standardised: Tensor, scale: SpeakerScale | None = None) -> Tensor:
        """(W, S) -> (W, S), or (W, 2 S) with what is relative to the speaker.

        `scale` is of what the speaker said before; without it the speaker is unknown.
        """
        if not self.speaker_normalised:
            return standardised
        # Of the history of a dialogue, which is on the CPU.
        own = standardised.cpu()
        scale = scale or SpeakerScale.unknown(own.shape[1])
        return torch.cat([standardised, scale.normalise(own).to(standardised)], 1)

    def forward(self, functionals: Tensor, scale: SpeakerScale | None = None) -> Tensor:
        """Label scores of windows: (W, D) -> (W, E)."""
        return self.layers(self.describe(self.standardise(functionals), scale))  # type: ignore[no-any-return]

    def _keep(self, functionals: Tensor) -> Tensor:
        return functionals if self.columns is None else functionals[:, self.columns]


@dataclass(frozen=True, eq=False)
class Encoded:
    """One modality of one utterance, ready for its adapter."""

    tokens: Tensor
    """(K, D) what the adapter reads."""
    scores: Tensor | None
    """(E,) log-probabilities of this encoder alone; None without a classifier."""
    voice: Tensor | None = None
    """(W, S) standardised functionals, by which the speaker's later turns are normalised."""


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
        self.prosody: ProsodyEncoder | None = None

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
            return Encoded(joined, utterance_scores(logits, self.spec.video.peak))

    def audio(
        self,
        samples: Samples,
        scale: SpeakerScale | None = None,
        known: Mapping[int, NDArray[np.float32]] | None = None,
    ) -> Encoded:
        """Encode the sound of an utterance.

        Args:
            samples: (N,), N at least 1.
            scale: What the speaker said before.
            known: (D,) functionals of some of its windows, by their first sample.
        """
        starts = window_starts(len(samples), self.spec.audio)
        windows = audio_windows(clean_samples(samples), self.spec.audio)
        rows = dict(known or {})
        missing = [index for index, start in enumerate(starts) if start not in rows]
        measured = self.measure([windows[index] for index in missing])
        rows |= {starts[index]: row for index, row in zip(missing, measured, strict=True)}
        functionals = np.stack([rows[start] for start in starts])
        return self.functionals(torch.from_numpy(functionals), scale=scale)

    def measure(self, windows: Sequence[Samples]) -> NDArray[np.float32]:
        """OpenSMILE functionals of clean windows: (W, D)."""
        self._smile = self._smile or OpenSmile(self.spec.audio)
        return self._smile(windows)

    def get_ready(self) -> None:
        """Make ready what the next window of sound needs, while nobody waits for it."""
        if self._smile is not None:
            self._smile.get_ready()

    def functionals(
        self,
        functionals: Tensor,
        logits: Tensor | None = None,
        scale: SpeakerScale | None = None,
    ) -> Encoded:
        """Audio tokens from (W, D) functionals.

        Args:
            functionals: of the windows of an utterance.
            logits: (W, E) that replace the encoder's own.
            scale: what the same speaker said before, where the spec normalises by it.
        """
        with self._mode():
            standardised = self.speech.standardise(functionals.to(self.speech.mean))
            voice = standardised.detach().cpu() if self.spec.audio.speaker_normalised else None
            tokens = self.speech.describe(standardised, scale)
            if not (self.spec.evidence and self.spec.audio.hidden):
                return Encoded(tokens, None, voice)
            logits = self.speech.layers(tokens) if logits is None else logits
            joined = torch.cat([tokens, logits.log_softmax(1)], 1)
            return Encoded(joined, utterance_scores(logits), voice)


def utterance_scores(logits: Tensor, peak: float = 0.0) -> Tensor:
    """Log-probabilities of an utterance from (F, E) logits of its frames or windows: (E,).

    An expression may last for a few frames of many; `peak` says how much these count, see
    `VideoSpec.peak`.
    """
    if not peak:
        return logits.mean(0).log_softmax(0)
    strongest = torch.logsumexp(peak * logits, 0) / peak  # but for a constant, the mean of exp
    return strongest.log_softmax(0)
