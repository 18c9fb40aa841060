"""Label probabilities of a model for many prepared turns at once.

A turn is scored from itself and the turns before it, never from those after it, and with
as much of the past as it would have live: when a dialogue outgrows the context of the
spec, its older half is dropped just where the live engine drops it.

Letters in shapes: n turns in all, E emotions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import accumulate
from random import Random
from typing import Any

import torch
from torch import Tensor

from engine.model.calibration import Calibration
from engine.model.model import EmotionModel, TurnInputs
from engine.model.reader import DialogueReader
from engine.model.recognizer import Recognizer, used_modalities, without
from training.learning.batching import make_batches
from training.progress import progress_bar

BATCH_TURNS = 64
BATCH_TOKENS = 1400

NO_COUNTERPART = -1
"""Truth of a turn whose emotion the bundle does not know."""
UNLABELLED = -2
"""Truth of a turn that the corpus gives no emotion: it is context for the turns after it."""


@dataclass(frozen=True)
class TurnName:
    """Where a turn is in its corpus."""

    split: str
    """Empty where the corpus was given as one split."""
    dialogue: str
    utterance: int


@dataclass(frozen=True, eq=False)
class Examples:
    """Dialogues with a truth for each turn."""

    dialogues: tuple[tuple[TurnInputs, ...], ...]
    """Turns in order; a turn alone is a dialogue of one."""
    truth: tuple[int, ...]
    """Label index of every turn in order; `NO_COUNTERPART` or `UNLABELLED` where it has none."""
    second_truth: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Other annotations of the same turns, by name, such as FERPlus's of FER2013."""
    people: tuple[str, ...] = ()
    """Who speaks each turn, by a name that is unique in the corpora; empty where unknown."""
    genders: tuple[str, ...] = ()
    """Of who speaks each turn, `female` or `male`, "" where unknown; empty where none is."""
    names: tuple[TurnName, ...] = ()
    """Where each turn is in its corpus; empty where it has no conversations."""

    def choose(self, dialogues: Iterable[int]) -> Examples:
        """Some dialogues by their index, in that order, with all that is known of their turns."""
        starts = [0, *accumulate(len(turns) for turns in self.dialogues)]
        chosen = list(dialogues)
        rows = [row for one in chosen for row in range(starts[one], starts[one + 1])]

        def of(values: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(values[row] for row in rows) if values else ()

        return Examples(
            tuple(self.dialogues[one] for one in chosen),
            of(self.truth),
            {name: of(values) for name, values in self.second_truth.items()},
            of(self.people),
            of(self.genders),
            of(self.names),
        )

    def every(self, step: int) -> Examples:
        """Each `step`-th dialogue."""
        return self.choose(range(0, len(self.dialogues), step))


def remove(examples: Examples, modalities: Sequence[str]) -> Examples:
    """The same examples with some modalities absent."""
    dialogues = tuple(
        tuple(without(turn, *modalities) for turn in turns) for turns in examples.dialogues
    )
    return replace(examples, dialogues=dialogues)


def probabilities(recognizer: Recognizer, dialogues: Sequence[Sequence[TurnInputs]]) -> Tensor:
    """Calibrated probabilities of every turn, in order: (n, E)."""
    return model_probabilities(recognizer.model, recognizer.calibration, dialogues)


def label_scores(recognizer: Recognizer, dialogues: Sequence[Sequence[TurnInputs]]) -> Tensor:
    """Uncalibrated label scores of every turn, in order: (n, E)."""
    return model_scores(recognizer.model, dialogues)


def model_probabilities(
    model: EmotionModel, calibration: Calibration, dialogues: Sequence[Sequence[TurnInputs]]
) -> Tensor:
    """Calibrated probabilities of every turn, in order: (n, E)."""
    used = [used_modalities(turn) for dialogue in dialogues for turn in dialogue]
    return calibration.probabilities(model_scores(model, dialogues), used)


def model_scores(model: EmotionModel, dialogues: Sequence[Sequence[TurnInputs]]) -> Tensor:
    """Uncalibrated label scores of every turn, in order, on the CPU: (n, E)."""
    turns = [turn for dialogue in dialogues for turn in dialogue]
    if model.spec.evidence and turns and all(turn.is_wordless for turn in turns):
        return _wordless_scores(model, turns)
    single = all(len(dialogue) == 1 for dialogue in dialogues)
    parts = [Part(turns, 1, 0) for turns in dialogues] if single else []
    if not single:
        parts = [part for turns in dialogues for part in split_by_context(model, turns)]
    places = range(len(parts))
    batches: Sequence[Sequence[int]]
    if single:
        batches = [places[at : at + BATCH_TURNS] for at in places[::BATCH_TURNS]]
    else:
        batches = make_batches(places, lambda at: parts[at].length, BATCH_TOKENS, Random(0))
    results: dict[int, Tensor] = {}
    with progress_bar() as bar, _evaluating(model):
        task = bar.add_task("scoring", total=len(parts), note="")
        for batch in batches:
            chosen = [parts[place].turns for place in batch]
            if single:
                scores = DialogueReader(model)([], [turns[0] for turns in chosen])
            else:
                scores = model(chosen)
            found = torch.split(scores.float().cpu(), [len(turns) for turns in chosen])
            for place, rows in zip(batch, found, strict=True):
                results[place] = rows[-parts[place].scored :]
            bar.update(task, advance=len(batch))
    return torch.cat([results[place] for place in places])


def _wordless_scores(model: EmotionModel, turns: Sequence[TurnInputs]) -> Tensor:
    """Of turns without words, which the encoders alone score: the LLM need not read them."""
    with _evaluating(model):
        width = model.spec.llm.hidden_size
        parts = [turns[at : at + 1024] for at in range(0, len(turns), 1024)]
        head = model.llm.get_output_embeddings().weight
        scored = [model.score(head.new_zeros(len(part), width), part) for part in parts]
        return torch.cat(scored).float().cpu()


@dataclass(frozen=True, eq=False)
class Part:
    """Turns that are read in one go."""

    turns: Sequence[TurnInputs]
    """What is read."""
    scored: int
    """How many of them, at the end, are scored here; the others are context."""
    length: int
    """Tokens of the prompt."""


def split_by_context(model: EmotionModel, turns: Sequence[TurnInputs]) -> list[Part]:
    """The parts of a dialogue, each turn scored once, with the past that it has live."""
    return [
        Part(turns[one.first : one.end], one.end - one.start, one.tokens)
        for one in model.prompt.stretches([turn.shape for turn in turns])
    ]


@contextmanager
def _evaluating(model: EmotionModel) -> Iterator[None]:
    """Without gradients and in evaluation mode; then in the mode that it was in."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)
