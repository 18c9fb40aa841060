"""Corpora of conversations as examples: a csv for its words, a folder for its clips too."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from engine.model.encoders import Encoders
from engine.model.model import TurnInputs
from engine.model.prompt import clean_text
from stream.errors import UserError
from training.datasets.clip import Clip
from training.datasets.corpora import CORPORA, open_corpus
from training.datasets.dialogues import Dialogue
from training.datasets.emorynlp import read_emorynlp
from training.datasets.labels import CORPUS_LABELS
from training.datasets.meld import read_meld
from training.evaluation.label_map import label_indices, require_known
from training.evaluation.predict import NO_COUNTERPART, Examples, TurnName
from training.preprocess import encode_dialogues
from training.prosody_turns import with_published
from training.transcription_noise import degrade

CONVERSATIONS = tuple(CORPORA)
"""Names of the corpora that have dialogues."""
TABLES: Mapping[str, Callable[[Path], list[Dialogue]]] = MappingProxyType(
    {"meld": read_meld, "emorynlp": read_emorynlp}
)
"""Readers of a single csv."""

DEFAULT_SPLIT = "dev"


@dataclass(frozen=True, eq=False)
class Conversations:
    """Dialogues to score."""

    corpus: str
    """Its name."""
    labels: tuple[str, ...]
    """The corpus's own."""
    dialogues: tuple[Dialogue, ...]
    split: str | None
    """None for a csv, which is one split."""

    @property
    def clips(self) -> list[Clip | None]:
        """Of every utterance, in order."""
        return [u.clip for dialogue in self.dialogues for u in dialogue.utterances]

    @property
    def texts(self) -> list[str]:
        """Of every utterance, in order, as the corpus has them."""
        return [u.text for dialogue in self.dialogues for u in dialogue.utterances]


def read_conversations(
    corpus: str, path: Path, split: str | None = None, prosody: Path | None = None
) -> Conversations:
    """Read one split.

    Args:
        corpus: Key of `CORPORA`.
        path: Its folder; or, for words alone, a csv (`TABLES`).
        split: Of a folder; `DEFAULT_SPLIT` for None.
        prosody: Published prosody for a csv of MELD; None for the file beside it, if any.

    Raises:
        UserError: The path is not in the corpus's layout, or has no such split.
    """
    if prosody is not None and (corpus != "meld" or path.is_dir()):
        raise UserError(f"--prosody {prosody}: only for a csv of MELD; beside others it is found")
    if corpus in TABLES and not path.is_dir():
        if split is not None:
            raise UserError(f"--split {split}: {path} is one split; give the corpus's folder")
        read = partial(read_meld, prosody=prosody) if corpus == "meld" else TABLES[corpus]
        return Conversations(corpus, CORPUS_LABELS[corpus], tuple(read(path)), None)
    opened = open_corpus(corpus, path)
    wanted = split or DEFAULT_SPLIT
    if not opened.splits.get(wanted):
        there = ", ".join(name for name, dialogues in opened.splits.items() if dialogues)
        raise UserError(f"{path} has no split {wanted}: give --split one of {there}")
    return Conversations(corpus, opened.labels, opened.splits[wanted], wanted)


def encode(
    conversations: Conversations, encoders: Encoders | None, cache: Path, jobs: int = 1
) -> tuple[tuple[TurnInputs, ...], ...]:
    """Turns with words, and with voice, pictures and prosody where the corpus has them.

    Args:
        conversations: What to encode.
        encoders: Of the bundle; None for words alone.
        cache: Folder of what was computed from media.
        jobs: Processes.
    """
    if encoders is None or not any(conversations.clips):
        turns = [
            tuple(TurnInputs(u.speaker, clean_text(u.text) or None) for u in dialogue.utterances)
            for dialogue in conversations.dialogues
        ]
    else:
        turns = encode_dialogues(conversations.dialogues, encoders, cache, jobs)
    prosody = None if encoders is None else encoders.prosody
    return tuple(
        with_published(own, dialogue, prosody)
        for own, dialogue in zip(turns, conversations.dialogues, strict=True)
    )


def truth_of(conversations: Conversations, labels: Sequence[str]) -> tuple[int, ...]:
    """Index among a bundle's labels for every utterance, as `Examples.truth` has it.

    Raises:
        UserError: The labels of corpus and bundle do not match, or no utterance has one.
    """
    indices = label_indices(conversations.corpus, conversations.labels, labels)
    truth = tuple(
        indices.get(utterance.emotion, NO_COUNTERPART)
        for dialogue in conversations.dialogues
        for utterance in dialogue.utterances
    )
    require_known(truth, labels)
    return truth


def to_examples(
    conversations: Conversations, turns: Sequence[tuple[TurnInputs, ...]], labels: Sequence[str]
) -> Examples:
    """Give encoded turns their truth among a bundle's labels.

    Raises:
        UserError: The labels of corpus and bundle do not match, or no utterance has one.
    """
    names = tuple(
        TurnName(conversations.split or "", dialogue.id, utterance.utterance_id)
        for dialogue in conversations.dialogues
        for utterance in dialogue.utterances
    )
    return Examples(tuple(turns), truth_of(conversations, labels), names=names)


def degraded(
    conversations: Conversations, rate: float, seed: int, *, punctuated: bool = False
) -> list[str]:
    """The words of every utterance as a recogniser would write them, this share of them wrong."""
    rng = random.Random(seed)
    return [degrade(text, rate, rng, punctuated=punctuated) for text in conversations.texts]


def with_texts(
    turns: Sequence[tuple[TurnInputs, ...]], texts: Sequence[str | None]
) -> tuple[tuple[TurnInputs, ...], ...]:
    """The same turns with other words, in order."""
    left = (clean_text(text) or None for text in texts)
    return tuple(tuple(replace(turn, text=next(left)) for turn in dialogue) for dialogue in turns)
