"""The two ways to train on a dialogue, and their batches.

Packed: a dialogue is one sequence with a loss at the cue of every turn. One by one: each
utterance is a prompt of its own, with some past utterances and a loss at its end, as most
published systems have it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from engine.model.model import TurnInputs
from engine.model.prompt import PromptBuilder
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.learning.batching import make_batches
from training.smoke import WORDS


@dataclass(frozen=True, eq=False)
class Sample:
    """One sequence, and the labels of its last turns."""

    turns: tuple[TurnInputs, ...]
    labels: tuple[int, ...]
    """Of as many turns as are scored, which are the last."""
    tokens: int
    """Length of the prompt."""


def packed_samples(
    dialogues: Sequence[Dialogue], labels: Sequence[str], prompt: PromptBuilder
) -> list[Sample]:
    """A sequence for each dialogue."""
    return [
        _sample(dialogue, 0, len(dialogue.utterances), labels, prompt) for dialogue in dialogues
    ]


def single_samples(
    dialogues: Sequence[Dialogue], labels: Sequence[str], prompt: PromptBuilder, past: int
) -> list[Sample]:
    """A sequence for each utterance, with at most `past` utterances before it."""
    return [
        _sample(dialogue, max(0, index - past), index + 1, labels, prompt, scored=1)
        for dialogue in dialogues
        for index in range(len(dialogue.utterances))
    ]


def _sample(
    dialogue: Dialogue,
    start: int,
    end: int,
    labels: Sequence[str],
    prompt: PromptBuilder,
    scored: int | None = None,
) -> Sample:
    utterances = dialogue.utterances[start:end]
    turns = tuple(TurnInputs(u.speaker, u.text) for u in utterances)
    own = tuple(labels.index(u.emotion) for u in utterances[-(scored or len(utterances)) :])
    return Sample(turns, own, len(prompt.build([turn.shape for turn in turns]).ids))


def batches_of(samples: Sequence[Sample], batch_tokens: int, seed: int) -> list[list[Sample]]:
    """As in training: sequences of like length together, padding within the budget."""
    return make_batches(samples, lambda sample: sample.tokens, batch_tokens, random.Random(seed))


def padded_tokens(batch: Sequence[Sample]) -> int:
    """What is computed for a batch."""
    return max(sample.tokens for sample in batch) * len(batch)


def scored_rows(batch: Sequence[Sample]) -> list[int]:
    """Rows of the model's output, one per turn of the batch, that the loss is taken of."""
    rows: list[int] = []
    end = 0
    for sample in batch:
        end += len(sample.turns)
        rows += range(end - len(sample.labels), end)
    return rows


def synthesised_dialogues(count: int, rng: random.Random) -> list[Dialogue]:
    """About as long as MELD's, of a few sentences."""
    return [
        Dialogue(str(index), tuple(_utterance(index, n, rng) for n in range(rng.randint(1, 18))))
        for index in range(count)
    ]


def _utterance(dialogue: int, number: int, rng: random.Random) -> DialogueUtterance:
    emotion, words = rng.choice(list(WORDS.items()))
    speaker = rng.choice(("Ann", "Ben", "Cid"))
    return DialogueUtterance(str(dialogue), number, speaker, words, emotion, None, None)
