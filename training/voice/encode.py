"""Speech clips through the encoders, each after the earlier clips of its speaker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from engine.model.encoders import Encoded, Encoders
from engine.model.speaker import SpeakerScale
from training.datasets.heard import heard_order
from training.datasets.speech import SpeechClip
from training.voice.features import clip_key, speech_features


def encode_voices(
    clips: Sequence[SpeechClip],
    encoders: Encoders,
    cache: Path,
    logits: Mapping[str, Tensor] | None = None,
    forget_after: int | None = None,
) -> list[Encoded]:
    """Encode clips as utterances that their speakers say in the order of `heard_order`.

    Args:
        clips: of any corpora and speakers.
        encoders: the trained encoders.
        cache: folder of the openSMILE cache.
        logits: label scores (W, E) by `clip_key` that replace the encoder's own.
        forget_after: clips after which a speaker is unknown again; None for never.

    Returns:
        One for each clip, in the order of `clips`.
    """
    functionals = speech_features(clips, encoders.spec.audio, cache)
    scales: dict[tuple[str, str], SpeakerScale] = {}
    clips_heard: Counter[tuple[str, str]] = Counter()
    encoded: dict[int, Encoded] = {}
    for index in heard_order(clips):
        clip = clips[index]
        speaker = (clip.corpus, clip.speaker)
        if forget_after and clips_heard[speaker] % forget_after == 0:
            scales.pop(speaker, None)
        clips_heard[speaker] += 1
        one = encoders.functionals(
            torch.from_numpy(functionals[index]),
            None if logits is None else logits[clip_key(clip)],
            scales.get(speaker),
        )
        if one.voice is not None:
            known = scales.get(speaker) or SpeakerScale.unknown(one.voice.shape[1])
            scales[speaker] = known.heard(one.voice)
        encoded[index] = one
    return [encoded[index] for index in range(len(clips))]
