"""What `training.evaluate` scores: each corpus as turns with the modalities that it has."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from engine.model.encoders import Encoders
from engine.model.inputs import picture_tensor
from engine.model.model import TurnInputs
from stream.errors import UserError
from training.augment import augment_pictures
from training.calibration.halves import half_of_faces, half_of_voices
from training.composition.banks import face_bank, voice_bank
from training.composition.compose import Banks, compose
from training.datasets.fer2013 import Fer2013, read_fer2013
from training.datasets.labels import MELD_LABELS
from training.datasets.speech import (
    DEV_SPEAKERS,
    TEST_SPEAKERS,
    SpeechClip,
    filter_speakers,
    find_speech,
    parse_speakers,
    read_emodb,
    read_nemo,
    read_ravdess,
)
from training.evaluation.conversations import (
    CONVERSATIONS,
    encode,
    read_conversations,
    to_examples,
)
from training.evaluation.label_map import label_indices
from training.evaluation.predict import NO_COUNTERPART

# Where readers of examples look for it.
from training.evaluation.predict import Examples as Examples
from training.prosody_turns import with_published
from training.voice.encode import encode_voices


@dataclass(frozen=True)
class Request:
    """What to score."""

    path: Path
    """File or folder of the corpus."""
    encoders: Encoders
    """Of the bundle."""
    labels: tuple[str, ...]
    """Of the bundle."""
    cache: Path
    """Folder of what is computed from media."""
    speakers: str | None = None
    """`17-20,TP0`, or `dev` or `test`; all for None."""
    faces: Path | None = None
    """FER2013 for `composed`."""
    speech: tuple[Path, ...] = ()
    """Folders of speech corpora for `composed`."""
    seed: int = 1
    """Of the composition, and of what `degraded` does."""
    half: int | None = None
    """1 or 2: compose from that half of `training.calibration.halves` alone."""
    draws: int = 1
    """How often `composed` goes through the dialogues, each time with other voices and faces."""
    mismatched: float = 0.0
    """See `training.composition.compose.compose`."""
    degraded: bool = False
    """FER2013's pictures as a detector, a webcam and a codec leave them (`training.augment`)."""


def read(dataset: str, request: Request) -> Examples:
    """Examples of a corpus.

    Args:
        dataset: One of `DATASETS`.
        request: Where it is and what of it.

    Raises:
        UserError: The path is not in the corpus's layout, or corpus and bundle have labels
            that do not match.
    """
    if dataset in SPEECH:
        return speech(request, SPEECH[dataset], dataset)
    if dataset in CONVERSATIONS:
        conversations = read_conversations(dataset, request.path)
        turns = encode(conversations, request.encoders, request.cache)
        return to_examples(conversations, turns, request.labels)
    if dataset == "composed":
        return composed(request)
    data = read_dev_faces(request.path)
    second = {"ferplus": data.majority, "ferplus_agreed": data.agreed_majority}
    truths = {name: _meld_indices(values, request.labels) for name, values in second.items()}
    return replace(faces(request, data), second_truth=truths)


def faces(request: Request, data: Fer2013) -> Examples:
    """Pictures of FER2013 with FER2013's own label."""
    turns, spec = [], request.encoders.spec.video
    generator = torch.Generator().manual_seed(request.seed)
    for start in range(0, len(data), 256):
        pictures = picture_tensor(data.images[start : start + 256], spec)
        if request.degraded:
            pictures = augment_pictures(pictures, spec, generator)
        features, logits = request.encoders.frames(pictures)
        for index in range(len(features)):
            own = slice(index, index + 1)
            encoded = request.encoders.pool(features[own], None if logits is None else logits[own])
            turns.append(
                (TurnInputs("speaker", video=encoded.tokens, video_scores=encoded.scores),)
            )
    return Examples(tuple(turns), _meld_indices(data.labels, request.labels))


def read_dev_faces(path: Path) -> Fer2013:
    """A parquet as it is; of a folder or of fer2013.csv the PublicTest split."""
    return read_fer2013(path, usage=None if path.suffix == ".parquet" else "PublicTest")


def ferplus_truth(data: Fer2013, labels: Sequence[str]) -> tuple[int, ...]:
    """FERPlus majority of seven of each picture in the bundle's labels, -1 without one."""
    return _meld_indices(data.majority, labels)


ReadSpeech = Callable[[Path], list[SpeechClip]]
"""Reads the clips below a folder."""


def speech(request: Request, read: ReadSpeech, corpus: str = "the speech corpus") -> Examples:
    """Clips of acted speech; a speaker's earlier clips are known (`training.datasets.heard`)."""
    indices = label_indices(corpus, MELD_LABELS, request.labels)
    clips = choose_clips(read(request.path), request.speakers)
    turns = []
    for encoded in encode_voices(clips, request.encoders, request.cache):
        turns.append((TurnInputs("speaker", audio=encoded.tokens, audio_scores=encoded.scores),))
    return Examples(
        tuple(turns),
        tuple(indices[clip.emotion] for clip in clips),
        people=tuple(f"{clip.corpus} {clip.speaker}" for clip in clips),
        genders=tuple(clip.gender or "" for clip in clips),
    )


def composed(request: Request) -> Examples:
    """MELD's words with a voice and a face of the same label."""
    if request.faces is None or not request.speech:
        raise UserError("composed needs --faces (FER2013) and --speech (a folder of speech)")
    found = [clip for folder in request.speech for clip in find_speech(folder)]
    clips, data = choose_clips(found, request.speakers), read_dev_faces(request.faces)
    if request.half is not None:
        clips, data = half_of_voices(clips, request.half), half_of_faces(data, request.half)
    banks = Banks(
        voices=voice_bank(request.encoders, clips, request.cache),
        faces=face_bank(request.encoders, data),
    )
    rng = random.Random(request.seed)
    words = read_conversations("meld", request.path)
    prosody = request.encoders.prosody
    turns = [
        with_published(compose(dialogue, banks, rng, request.mismatched).turns, dialogue, prosody)
        for _ in range(request.draws)
        for dialogue in words.dialogues
    ]
    chosen = to_examples(words, turns, request.labels)
    draws = request.draws
    return replace(chosen, truth=chosen.truth * draws, names=chosen.names * draws)


def choose_clips(clips: list[SpeechClip], speakers: str | None) -> list[SpeechClip]:
    """The clips of the speakers named, or of the dev or test speakers of each corpus."""
    named = {"dev": DEV_SPEAKERS, "test": TEST_SPEAKERS}.get(speakers or "")
    if named is not None:
        kept = [clip for clip in clips if clip.speaker in named[clip.corpus]]
        if not kept:
            raise UserError(f"--speakers {speakers}: no clip of these speakers here")
        return kept
    return filter_speakers(clips, parse_speakers(speakers)) if speakers else clips


def _meld_indices(indices: np.ndarray, labels: Sequence[str]) -> tuple[int, ...]:
    known = label_indices("fer2013", MELD_LABELS, labels)
    return tuple(known[MELD_LABELS[i]] if i >= 0 else NO_COUNTERPART for i in indices)


SPEECH = {"ravdess": read_ravdess, "emodb": read_emodb, "nemo": read_nemo}
"""Readers of the speech corpora by name."""
DATASETS = (*CONVERSATIONS, "fer2013", *SPEECH, "composed")
"""All that can be scored."""
