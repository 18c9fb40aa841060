"""Speech clips as the trainer of the speech encoder holds them: windows, labels, speakers.

Letters in shapes: n clips, W windows in all, D functionals, E emotions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.model.spec import AudioSpec
from training.datasets.heard import heard_order
from training.datasets.labels import MELD_INDEX
from training.datasets.speech import SpeechClip
from training.voice.features import speech_features


@dataclass(frozen=True, eq=False)
class Clips:
    """Windows of many clips in one tensor, in the order in which they are heard."""

    windows: Tensor
    """(W, D) functionals."""
    owner: Tensor
    """(W,) index of the clip of each window, ascending."""
    labels: Tensor
    """(n,) label indices."""
    corpora: tuple[str, ...]
    """Corpus of each clip."""
    speakers: tuple[str, ...]
    """Speaker of each clip, distinct between corpora."""

    def subset(self, chosen: Tensor) -> Clips:
        """The clips at some indices."""
        starts, counts = self.spans()
        rows = torch.cat([torch.arange(int(starts[i]), int(starts[i] + counts[i])) for i in chosen])
        return Clips(
            self.windows[rows],
            torch.repeat_interleave(torch.arange(len(chosen)), counts[chosen]),
            self.labels[chosen],
            tuple(self.corpora[int(index)] for index in chosen),
            tuple(self.speakers[int(index)] for index in chosen),
        )

    def spans(self) -> tuple[Tensor, Tensor]:
        """First row and number of the windows of each clip: (n,) and (n,)."""
        counts = torch.bincount(self.owner, minlength=len(self.labels))
        return counts.cumsum(0) - counts, counts

    def of_corpus(self, corpus: str) -> Tensor:
        """Which clips are of a corpus: (n,) bool."""
        return torch.tensor([name == corpus for name in self.corpora])


def heard(clips: Sequence[SpeechClip]) -> list[SpeechClip]:
    """Clips in the order in which they are heard."""
    return [clips[index] for index in heard_order(clips)]


def gather(clips: Sequence[SpeechClip], spec: AudioSpec, cache: Path) -> Clips:
    """Functionals and labels of clips, in their order."""
    parts = [torch.from_numpy(part) for part in speech_features(clips, spec, cache)]
    counts = torch.tensor([len(part) for part in parts])
    return Clips(
        torch.cat(parts),
        torch.repeat_interleave(torch.arange(len(parts)), counts),
        torch.tensor([MELD_INDEX[clip.emotion] for clip in clips]),
        tuple(clip.corpus for clip in clips),
        tuple(f"{clip.corpus}/{clip.speaker}" for clip in clips),
    )


def mean_by(values: Tensor, owner: Tensor, count: int) -> Tensor:
    """Mean of the rows of each of `count` owners: (W, E) -> (n, E)."""
    sums = values.new_zeros(count, values.shape[1]).index_add_(0, owner, values)
    return sums / torch.bincount(owner, minlength=count).clamp_min(1)[:, None]


def unweighted_accuracy(predicted: Tensor, clips: Clips) -> dict[str, float]:
    """Mean recall over the labels present, on each corpus; `predicted` is (n,)."""
    right = predicted == clips.labels
    figures = {}
    for corpus in sorted(set(clips.corpora)):
        own = clips.of_corpus(corpus)
        recalls = [
            right[own & (clips.labels == k)].float().mean() for k in torch.unique(clips.labels[own])
        ]
        figures[corpus] = float(torch.stack(recalls).mean())
    return figures
