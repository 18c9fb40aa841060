"""Voices and faces that composition draws from, run through the trained encoders once."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.model.encoders import Encoded, Encoders
from engine.model.inputs import picture_tensor
from training.augment import augment_pictures
from training.composition.compose import Bank, Sample
from training.datasets.fer2013 import Fer2013
from training.datasets.labels import MELD_INDEX
from training.datasets.speech import SpeechClip
from training.progress import progress_bar
from training.voice.encode import encode_voices

KNOWN_CLIPS = 10
"""Clips of a speaker after which a bank takes him for unknown: live, every voice is at first."""
VIEWS = 3
"""Augmented views of a picture that stand for the frames of a video in training."""


def voice_bank(
    encoders: Encoders,
    clips: Sequence[SpeechClip],
    cache: Path,
    out_of_fold: Mapping[str, Tensor] | None = None,
) -> Bank:
    """Encode speech clips.

    Args:
        encoders: the trained encoders.
        clips: with their labels.
        cache: folder of the openSMILE cache.
        out_of_fold: for training clips, label scores (W, E) by `clip_key` from an encoder
            that did not see their speaker: its own scores on them would be too good.
    """
    voices = encode_voices(clips, encoders, cache, out_of_fold, KNOWN_CLIPS)
    samples = [
        _sample(encoded, _one_hot(MELD_INDEX[clip.emotion]))
        for clip, encoded in zip(clips, voices, strict=True)
    ]
    return _by_label(samples)


def face_bank(
    encoders: Encoders, data: Fer2013, *, limit: int | None = None, seed: int | None = None
) -> Bank:
    """Encode the pictures of FER2013 that have a FERPlus majority.

    Args:
        encoders: the trained encoders.
        data: pictures and votes.
        limit: at most so many pictures of each label.
        seed: for training: half of the pictures become three augmented views, which stand
            for the frames of a video. Without it pictures are taken as they are.
    """
    spec = encoders.spec.video
    rows = _choose(data, limit, random.Random(seed or 0))
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    samples = []
    with progress_bar() as bar:
        task = bar.add_task("faces", total=len(rows), note="")
        for start in range(0, len(rows), 64):
            part = rows[start : start + 64]
            views = 1 if generator is None or (start // 64) % 2 else VIEWS
            pictures = picture_tensor(data.images[part].repeat(views, axis=0), spec)
            if generator is not None:
                pictures = augment_pictures(pictures, spec, generator)
            features, logits = encoders.frames(pictures)
            for index, row in enumerate(part):
                own = slice(index * views, (index + 1) * views)
                encoded = encoders.pool(features[own], None if logits is None else logits[own])
                samples.append(_sample(encoded, torch.from_numpy(data.votes[row])))
            bar.update(task, advance=len(part))
    return _by_label(samples, [int(data.majority[row]) for row in rows])


def _choose(data: Fer2013, limit: int | None, rng: random.Random) -> list[int]:
    chosen: list[int] = []
    for label in range(len(MELD_INDEX)):
        rows = np.flatnonzero(data.majority == label).tolist()
        chosen += rows if limit is None or len(rows) <= limit else rng.sample(rows, limit)
    rng.shuffle(chosen)
    return chosen


def _sample(encoded: Encoded, target: Tensor) -> Sample:
    scores = torch.zeros(len(target)) if encoded.scores is None else encoded.scores
    return Sample(encoded.tokens, scores, target)


def _one_hot(label: int) -> Tensor:
    return torch.eye(len(MELD_INDEX))[label]


def _by_label(samples: Sequence[Sample], labels: Iterable[int] | None = None) -> Bank:
    labels = [int(sample.target.argmax()) for sample in samples] if labels is None else labels
    bank: dict[int, list[Sample]] = {}
    for label, sample in zip(labels, samples, strict=True):
        bank.setdefault(label, []).append(sample)
    return bank
