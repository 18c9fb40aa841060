"""What another model's classes are among MELD's seven emotions.

Letters in shapes: N examples, C classes of the other model, L = 7 emotions of `MELD_LABELS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from stream.errors import UserError
from training.datasets.labels import (
    DAILYDIALOG_TO_MELD,
    FER2013_TO_MELD,
    FERPLUS_TO_MELD,
    MELD_INDEX,
    MELD_LABELS,
)

Floats = NDArray[np.float64]

SYNONYMS: Mapping[str, str] = MappingProxyType(
    {
        **{name: name for name in MELD_LABELS},
        **FER2013_TO_MELD,
        **FERPLUS_TO_MELD,
        **DAILYDIALOG_TO_MELD,
        "joyful": "joy",
        "mad": "anger",
        "unhappy": "sadness",
        "disgusted": "disgust",
        "fearful": "fear",
        "scared": "fear",
        "afraid": "fear",
        "natural": "neutral",  # a common slip in class lists
    }
)
"""Other names of the same emotion, in lower case."""

_EKMAN: Mapping[str, str] = MappingProxyType(
    {
        "anger": "anger annoyance disapproval",
        "disgust": "disgust",
        "fear": "fear nervousness",
        "joy": "joy amusement approval excitement gratitude love optimism relief pride admiration "
        "desire caring",
        "sadness": "sadness disappointment embarrassment grief remorse",
        "surprise": "surprise realization confusion curiosity",
        "neutral": "neutral",
    }
)
GOEMOTIONS_TO_MELD: Mapping[str, str] = MappingProxyType(
    {name: emotion for emotion, names in _EKMAN.items() for name in names.split()}
)
"""GoEmotions' 28 classes by its authors' Ekman grouping (Demszky et al., 2020,
`ekman_mapping.json`); used for a model that has exactly these."""

NOTHING = "-"
"""Written for a class without counterpart: `love=-`."""

KINDS = ("logits", "probabilities", "sigmoid")
"""What a model's numbers are: scores for a softmax, probabilities that sum to 1, or scores of
classes that do not exclude each other (multi-label)."""


@dataclass(frozen=True)
class LabelMap:
    """The C classes of a model, and what each is called in MELD."""

    names: tuple[str, ...]
    """The model's own, in the order of its output."""
    meld: tuple[str | None, ...]
    """Emotion of each; None without a counterpart."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """Classes without a counterpart: the others' probabilities are made to sum to 1."""
        return tuple(
            name for name, emotion in zip(self.names, self.meld, strict=True) if not emotion
        )

    @property
    def never(self) -> tuple[str, ...]:
        """Emotions that the model has no class for."""
        return tuple(emotion for emotion in MELD_LABELS if emotion not in self.meld)

    @property
    def renamed(self) -> dict[str, str]:
        """Classes under another name than MELD's."""
        pairs = zip(self.names, self.meld, strict=True)
        return {name: emotion for name, emotion in pairs if emotion and emotion != name}

    def to_meld(self, probabilities: Floats) -> Floats:
        """(N, C) -> (N, L): classes of one emotion added up, the rest left out, sums of 1.

        A row with nothing left is equally sure of each emotion that the model knows.
        """
        out = np.zeros((len(probabilities), len(MELD_LABELS)))
        for column, emotion in zip(probabilities.T, self.meld, strict=True):
            if emotion:
                out[:, MELD_INDEX[emotion]] += column
        known = np.array([float(emotion in self.meld) for emotion in MELD_LABELS])
        total = out.sum(axis=1, keepdims=True)
        empty = total < np.finfo(np.float64).tiny
        return np.where(empty, known / known.sum(), out / np.where(empty, 1.0, total))


def map_labels(names: Sequence[str]) -> LabelMap:
    """Find the emotion of each class.

    Args:
        names: In the order of the model's output; `love=joy` says what a class is, and
            `love=-` that it is nothing of MELD's.

    Raises:
        UserError: A name is there twice, an emotion after `=` is none of MELD's, or fewer than
            two classes have a counterpart.
    """
    pairs = [_split(name) for name in names]
    own = tuple(name for name, _ in pairs)
    doubled = sorted({name for name in own if own.count(name) > 1})
    if doubled:
        raise UserError(f"--labels names {', '.join(doubled)} twice: give each class once")
    keys = {name.lower() for name in own}
    known = GOEMOTIONS_TO_MELD if keys == set(GOEMOTIONS_TO_MELD) else SYNONYMS
    meld = tuple(said if said else known.get(name.lower()) for name, said in pairs)
    meld = tuple(None if emotion == NOTHING else emotion for emotion in meld)
    if len(set(meld) - {None}) < 2:
        raise UserError(
            f"of the classes {_few(own)} fewer than two are emotions of MELD "
            f"({', '.join(MELD_LABELS)}): name the classes in order with --labels, and where a "
            "name is another one say which, as in --labels delight=joy,gloom=sadness,love=-"
        )
    return LabelMap(own, meld)


def split_names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def as_probabilities(numbers: Floats, kind: str | None) -> tuple[Floats, str]:
    """(N, C) of a model as probabilities, and which of `KINDS` they were.

    Args:
        numbers: Finite.
        kind: One of `KINDS`; None to look: rows of shares that sum to 1 are probabilities.

    Raises:
        UserError: They are no probabilities, though `kind` says so.
    """
    shares = numbers.min() >= -1e-6 and np.allclose(numbers.sum(axis=1), 1, atol=1e-2)
    kind = kind or ("probabilities" if shares else "logits")
    if kind == "logits":
        powers = np.exp(numbers - numbers.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True), kind
    if kind == "sigmoid":
        return 0.5 * (1 + np.tanh(numbers / 2)), kind
    if not shares:
        raise UserError(
            "--probabilities: the model's numbers do not sum to 1; leave it out, or say --logits"
        )
    return numbers.clip(0), kind


def _split(name: str) -> tuple[str, str]:
    own, given, said = name.partition("=")
    said = said.strip().lower()
    emotion = said if said == NOTHING else SYNONYMS.get(said, "")
    if given and not emotion:
        raise UserError(
            f"--labels {name}: {said or 'nothing'} is no emotion of MELD "
            f"({', '.join(MELD_LABELS)}), nor {NOTHING} for none"
        )
    return own.strip(), emotion


def _few(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
