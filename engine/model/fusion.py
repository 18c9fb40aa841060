"""From encoder features to LLM embeddings: pooling, adapters, absent tokens, filling of slots.

Letters in shapes: B dialogues, T tokens, F frames, W windows, K video tokens,
D features, S sources of evidence, E emotions, H width of the LLM.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.model.prompt import AUDIO, NO_AUDIO, NO_TEXT, NO_VIDEO, VIDEO
from engine.model.spec import ModelSpec

ABSENT_SLOTS = {"text": NO_TEXT, "audio": NO_AUDIO, "video": NO_VIDEO}


def pool_frames(features: Tensor, tokens: int) -> Tensor:
    """Pool frame features over equal stretches of time, keeping means and peaks.

    Args:
        features: (F, D), in order of time, F at least 1.
        tokens: K stretches; with fewer frames than stretches frames are repeated.

    Returns:
        (K, 2 D): mean and maximum of each stretch.
    """
    count = len(features)
    pooled = []
    for index in range(tokens):
        start = index * count // tokens
        stretch = features[start : max(start + 1, (index + 1) * count // tokens)]
        pooled.append(torch.cat([stretch.mean(0), stretch.amax(0)]))
    return torch.stack(pooled)


class Adapter(nn.Module):
    """Two layers from an encoder's features to the LLM's embedding space."""

    def __init__(self, features: int, width: int, gain: float) -> None:
        """`gain` is the root mean square of the LLM's own embeddings: tokens start as loud."""
        super().__init__()
        hidden = min(width, 1024)
        self.layers = nn.Sequential(
            nn.LayerNorm(features),
            nn.Linear(features, hidden),
            nn.GELU(),
            nn.Linear(hidden, width),
            nn.LayerNorm(width, elementwise_affine=False),
        )
        self.gain = nn.Parameter(torch.full((width,), gain))

    def forward(self, features: Tensor) -> Tensor:
        """(K, D) -> (K, H)."""
        return self.layers(features) * self.gain  # type: ignore[no-any-return]


class Fusion(nn.Module):
    """Adapters of both modalities, the absent tokens and the weights of the evidence."""

    def __init__(self, spec: ModelSpec, gain: float = 0.1) -> None:
        """Untrained."""
        super().__init__()
        width, emotions = spec.llm.hidden_size, len(spec.labels)
        self._sources = spec.evidence_sources
        self.adapters = nn.ModuleDict(
            {
                "video": Adapter(video_features(spec), width, gain),
                "audio": Adapter(audio_features(spec), width, gain),
            }
        )
        # The same in every training: words are learned beside them before they are.
        fixed = torch.Generator().manual_seed(0)
        self.absent = nn.ParameterDict(
            {
                name: nn.Parameter(torch.randn(width, generator=fixed) * gain)
                for name in ABSENT_SLOTS
            }
        )
        self.evidence_weights = nn.ParameterDict(
            {name: nn.Parameter(torch.full((emotions,), 0.5)) for name in spec.evidence_sources}
        )

    def embed(self, ids: Tensor, tokens: Tensor, video: Tensor, audio: Tensor) -> Tensor:
        """Fill the slots of token embeddings.

        Args:
            ids: (B, T) prompt ids, negative in slots.
            tokens: (B, T, H) embeddings of the ids; whatever stands in slots is replaced.
            video: (K, D) features of all video tokens, in the order of their slots.
            audio: (K, D) features of all audio tokens, in the order of their slots.

        Returns:
            (B, T, H).

        Raises:
            ValueError: the number of features is not the number of slots.
        """
        filled = tokens.clone()
        for name, slot, features in (("video", VIDEO, video), ("audio", AUDIO, audio)):
            places = ids == slot
            expected = int(places.sum())
            if expected != len(features):
                raise ValueError(
                    f"the prompt has {expected} {name} tokens but there are {len(features)} "
                    f"{name} features: prompt and inputs were not built together"
                )
            if expected:
                filled[places] = self.adapters[name](features).to(filled.dtype)
        for name, slot in ABSENT_SLOTS.items():
            filled[ids == slot] = self.absent[name].to(filled.dtype)
        return filled

    def weigh_evidence(self, evidence: Tensor) -> Tensor:
        """What the encoders add to the label scores.

        Args:
            evidence: (n, S, E) log-probabilities in the order of the spec's
                `evidence_sources`; zeros where absent.

        Returns:
            (n, E).
        """
        weights = torch.stack([self.evidence_weights[name] for name in self._sources])
        return (evidence * weights).sum(1)


def video_features(spec: ModelSpec) -> int:
    """Width of what the video adapter reads: mean and peak features, and label scores."""
    return 2 * spec.video.densenet.features + _scores(spec)


def audio_features(spec: ModelSpec) -> int:
    """Width of what the audio adapter reads: functionals and, with an encoder, label scores."""
    return spec.audio.width + (_scores(spec) if spec.audio.hidden else 0)


def _scores(spec: ModelSpec) -> int:
    return len(spec.labels) if spec.evidence else 0
