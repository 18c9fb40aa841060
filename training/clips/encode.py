"""Dialogues with clips as the LLM is given them: words, video tokens and audio tokens.

The encoders are those that run live. DenseNet features are cached by clip and weights: 64
pictures of 336x336 cost seconds.

Letters in shapes: F pictures, W windows, D features, E emotions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.model.encoders import Encoded, Encoders
from engine.model.inputs import picture_tensor
from engine.model.model import TurnInputs
from engine.model.prompt import clean_text
from engine.model.prosody import add_prosody
from engine.model.speaker import SpeakerScale, voice_scale
from engine.model.spec import ModelSpec
from stream.errors import UserError
from stream.media import Image
from training.clips.cache import Entry, EntryStore, weights_digest
from training.clips.prepare import prepare, read_prepared
from training.datasets.dialogues import Dialogue
from training.progress import progress_bar

FEATURES = "features"
"""Folder of DenseNet features below the cache, in it a folder for each network."""


def encode_dialogues(
    dialogues: Sequence[Dialogue], encoders: Encoders, cache: Path, jobs: int
) -> list[tuple[TurnInputs, ...]]:
    """Encode dialogues; clips that are not prepared yet are.

    Args:
        dialogues: Words, and clips where there are any.
        encoders: The trained encoders, on any device.
        cache: Folder.
        jobs: Processes that prepare.

    Returns:
        A turn for each utterance, in order, on the CPU. A modality is absent where the
        utterance has no clip or that part of it is broken, silent or without a face.

    Raises:
        UserError: The cache cannot be written; what is done is kept.
    """
    keys = iter(prepare(dialogues, encoders.spec, cache, jobs).keys)
    encode = ClipEncoder(encoders, cache)
    encoded = []
    with progress_bar() as bar:
        task = bar.add_task("encoding", total=sum(len(d.utterances) for d in dialogues), note="")
        for dialogue in dialogues:
            turns: list[TurnInputs] = []
            for utterance in dialogue.utterances:
                turn = TurnInputs(utterance.speaker, clean_text(utterance.text) or None)
                turns.append(turn if utterance.clip is None else encode(turn, next(keys), turns))
                bar.update(task, advance=1)
            encoded.append(tuple(turns))
    return encoded


class ClipEncoder:
    """Adds pictures and sound of prepared clips to turns.

    Args:
        encoders: The trained encoders.
        cache: Folder that `training.clips.prepare.prepare` filled.
    """

    def __init__(self, encoders: Encoders, cache: Path) -> None:
        self._encoders, self._cache = encoders, cache
        self._store = EntryStore(cache / FEATURES / _network(encoders))

    def __call__(self, turn: TurnInputs, key: str, past: Sequence[TurnInputs] = ()) -> TurnInputs:
        """The turn with the modalities that the clip of that key has.

        `past` are the turns before it, by which voice and prosody of its speaker are normalised.
        """
        clip = read_prepared(key, self._encoders.spec, self._cache)
        if len(clip.functionals):
            scale = voice_scale(past, turn.speaker)
            audio = self._audio(torch.from_numpy(clip.functionals), scale)
            turn = replace(turn, audio=audio.tokens, audio_scores=audio.scores, voice=audio.voice)
        if clip.prosody is not None and self._encoders.prosody is not None:
            measured = torch.from_numpy(clip.prosody)
            turn = add_prosody(turn, measured, self._encoders.prosody, past)
        if clip.pictures:
            video = _on_cpu(self._encoders.pool(*self._frames(key, clip.pictures)))
            turn = replace(turn, video=video.tokens, video_scores=video.scores)
        return turn

    def _audio(self, functionals: Tensor, scale: SpeakerScale | None) -> Encoded:
        return _on_cpu(self._encoders.functionals(functionals, scale=scale))

    def _frames(self, key: str, pictures: Sequence[Image]) -> tuple[Tensor, Tensor | None]:
        """Features (F, D) and, with a classifier, label scores (F, E), on the CPU."""
        entry = self._store.read(key)
        if entry is None:
            tensor = picture_tensor(pictures, self._encoders.spec.video)
            features, logits = self._encoders.frames(tensor)
            tensors = {"features": _array(features)}
            tensors |= {} if logits is None else {"logits": _array(logits)}
            entry = Entry(tensors, {})
            self._store.write(key, entry)
        found = {name: torch.from_numpy(values) for name, values in entry.tensors.items()}
        return found["features"], found.get("logits")


def scale_of(
    dialogues: Sequence[Dialogue], spec: ModelSpec, cache: Path, jobs: int = 1
) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the functionals of all windows, where no speech encoder is trained.

    One pass that holds one clip at a time (Chan, Golub and LeVeque, 1983); the numbers are
    those of `SpeechEncoder.fit_scale`.

    Args:
        dialogues: Of the training split.
        spec: What the encoders take.
        cache: Folder; clips that are not in it are prepared.
        jobs: Processes that prepare.

    Returns:
        (D,) and (D,), float32; no deviation is below 1e-6.

    Raises:
        UserError: No clip has sound, or the cache cannot be written.
    """
    keys = prepare(dialogues, spec, cache, jobs).keys
    count = 0
    mean = np.zeros(spec.audio.features)
    squares = np.zeros(spec.audio.features)  # sum of squared distances from the mean
    for windows in _functionals(keys, spec, cache):
        total = count + len(windows)
        own = windows.mean(0)
        squares += ((windows - own) ** 2).sum(0) + (own - mean) ** 2 * count * len(windows) / total
        mean += (own - mean) * len(windows) / total
        count = total
    if not count:
        raise UserError("no training clip has sound; check the folder with training.check")
    deviation = np.sqrt(squares / max(1, count - 1))
    scale = torch.from_numpy(np.stack([mean, deviation])).float()
    return scale[0], scale[1].clamp_min(1e-6)


def _functionals(
    keys: Sequence[str], spec: ModelSpec, cache: Path
) -> Iterator[NDArray[np.float64]]:
    """(W, D) of every clip that has sound."""
    for key in keys:
        functionals = read_prepared(key, spec, cache).functionals
        if len(functionals):
            yield functionals.astype(np.float64)


def _network(encoders: Encoders) -> str:
    """Name of the DenseNet with what else decides over its features."""
    video = encoders.spec.video
    weights = {name: _array(value) for name, value in encoders.densenet.state_dict().items()}
    scale = (*_numbers(video.mean), *_numbers(video.std))
    return weights_digest(weights, *scale, encoders.spec.evidence)


def _numbers(given: float | tuple[float, ...]) -> tuple[float, ...]:
    return given if isinstance(given, tuple) else (given,)


def _array(values: Tensor) -> NDArray[np.generic]:
    values = values.detach().cpu()
    array: NDArray[np.generic] = (values.float() if values.is_floating_point() else values).numpy()
    return array


def _on_cpu(encoded: Encoded) -> Encoded:
    """Ordinary tensors: those of inference mode cannot take part in training."""
    scores, voice = encoded.scores, encoded.voice
    return Encoded(
        _ordinary(encoded.tokens),
        None if scores is None else _ordinary(scores),
        None if voice is None else _ordinary(voice),
    )


def _ordinary(values: Tensor) -> Tensor:
    return values.detach().cpu().float().clone()
