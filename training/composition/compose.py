"""Label-conditional composition: words, voices and faces of one label become one turn.

No public corpus here has words, voice and face of conversations together. A MELD turn
is given windows of a speech clip and pictures of a face that carry its label, from
training speakers and training pictures. This teaches what a voice and a face of each
label look like next to the words; figures on such data are reported as composed, never
as MELD results.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.model.model import TurnInputs
from engine.model.recognizer import used_modalities, without
from training.datasets.dialogues import Dialogue
from training.datasets.labels import MELD_INDEX, MELD_LABELS
from training.learning.sequences import TrainingSequence, text_sequence
from training.settings import Dropout


@dataclass(frozen=True, eq=False)
class Sample:
    """A voice or a face after its encoder."""

    tokens: Tensor
    """(K, D) what the adapter reads."""
    scores: Tensor
    """(E,) log-probabilities of the encoder alone."""
    target: Tensor
    """(E,) distribution over the labels."""


Bank = Mapping[int, Sequence[Sample]]
"""Samples by label index."""


@dataclass(frozen=True, eq=False)
class Banks:
    """Where composition draws from."""

    voices: Bank
    faces: Bank


def compose(
    dialogue: Dialogue, banks: Banks, rng: random.Random, mismatched: float = 0.0
) -> TrainingSequence:
    """Give every turn of a dialogue a voice and a face of its label, where there is one.

    Args:
        dialogue: The words.
        banks: The voices and faces.
        rng: Source of all randomness.
        mismatched: Share of voices, and of faces, of the label of whatever turn instead.
    """
    words = text_sequence(dialogue, MELD_LABELS)
    labels = [MELD_INDEX.get(one.emotion, -1) for one in dialogue.utterances]  # -1 has no sample
    shown = [label for label in labels if label >= 0]

    def show(label: int) -> int:
        return rng.choice(shown) if mismatched and rng.random() < mismatched else label

    turns = []
    for turn, label in zip(words.turns, labels, strict=True):
        if label >= 0:
            turn = with_voice(turn, _draw(banks.voices, show(label), rng))
            turn = with_face(turn, _draw(banks.faces, show(label), rng))
        turns.append(turn)
    return replace(words, turns=tuple(turns))


def drop_modalities(
    sequence: TrainingSequence, dropout: Dropout, rng: random.Random
) -> TrainingSequence:
    """Make modalities of turns absent at random; no turn that had something is left with nothing.

    A turn that would lose all it has keeps its words, or without words all of it.
    """
    spoken = any(turn.text is not None for turn in sequence.turns)
    if rng.random() < dropout.text_only_dialogue and spoken:
        turns = [_keep_some(turn, {"audio", "video"}) for turn in sequence.turns]
        return replace(sequence, turns=tuple(turns))
    chances = {"text": dropout.text, "audio": dropout.audio, "video": dropout.video}
    turns = [
        _keep_some(turn, {name for name, chance in chances.items() if rng.random() < chance})
        for turn in sequence.turns
    ]
    return replace(sequence, turns=tuple(turns))


def _keep_some(turn: TurnInputs, dropped: set[str]) -> TurnInputs:
    """The turn without what is dropped, unless nothing of it would be left."""
    had = set(used_modalities(turn))
    if not had - dropped:
        dropped = dropped - ({"text"} if "text" in had else had)
    return without(turn, *dropped)


def solo_sequences(
    banks: Banks, count: int, rng: random.Random, turns: int = 8
) -> list[TrainingSequence]:
    """Sequences of unrelated turns without words: a voice, a face, or both of one label."""
    sequences = []
    for _ in range(count):
        made = [_solo_turn(f"speaker-{rng.randrange(4)}", banks, rng) for _ in range(turns)]
        targets = torch.stack([target for _, target in made])
        sequences.append(TrainingSequence(tuple(turn for turn, _ in made), targets))
    return sequences


def _solo_turn(speaker: str, banks: Banks, rng: random.Random) -> tuple[TurnInputs, Tensor]:
    kind = rng.choice(("voice", "face", "face", "both"))
    turn = TurnInputs(speaker)
    if kind == "voice":
        voice = _draw_any(banks.voices, rng, balanced=True)
        return with_voice(turn, voice), voice.target
    face = _draw_any(banks.faces, rng, balanced=False)
    if kind == "face":
        return with_face(turn, face), face.target
    label = int(face.target.argmax())
    return with_face(with_voice(turn, _draw(banks.voices, label, rng)), face), face.target


def with_voice(turn: TurnInputs, sample: Sample | None) -> TurnInputs:
    """The turn with a voice; unchanged for None."""
    return replace(turn, audio=sample.tokens, audio_scores=sample.scores) if sample else turn


def with_face(turn: TurnInputs, sample: Sample | None) -> TurnInputs:
    """The turn with a face; unchanged for None."""
    return replace(turn, video=sample.tokens, video_scores=sample.scores) if sample else turn


def _draw(bank: Bank, label: int, rng: random.Random) -> Sample | None:
    samples = bank.get(label)
    return rng.choice(samples) if samples else None


def _draw_any(bank: Bank, rng: random.Random, *, balanced: bool) -> Sample:
    weights = [1 if balanced else len(samples) for samples in bank.values()]
    return rng.choice(rng.choices(list(bank.values()), weights)[0])
