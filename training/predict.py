"""Label probabilities of a model for many prepared turns at once.

A turn is scored from itself and the turns before it, never from those after it, and with
as much of the past as it would have live: when a dialogue outgrows the context of the
spec, its older half is dropped just where the live engine drops it.

Letters in shapes: n turns in all, E emotions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.model.calibration import Calibration
from engine.model.model import EmotionModel, TurnInputs
from engine.model.prompt import first_turns
from engine.model.recognizer import Recognizer, used_modalities, without
from training.progress import progress_bar

BATCH_TURNS = 64
BATCH_TOKENS = 1400

NO_COUNTERPART = -1
"""Truth of a turn whose emotion the bundle does not know."""
UNLABELLED = -2
"""Truth of a turn that the corpus gives no emotion: it is context for the turns after it."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Dialogues with a truth for each turn."""

    dialogues: tuple[tuple[TurnInputs, ...], ...]
    """Turns in order; a turn alone is a dialogue of one."""
    truth: tuple[int, ...]
    """Label index of every turn in order; `NO_COUNTERPART` or `UNLABELLED` where it has none."""
    second_truth: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Other annotations of the same turns, by name, such as FERPlus's of FER2013."""

    def every(self, step: int) -> Examples:
        """Each `step`-th dialogue with its truth."""
        chosen: list[tuple[TurnInputs, ...]] = []
        truth: list[int] = []
        start = 0
        for index, turns in enumerate(self.dialogues):
            if index % step == 0:
                chosen.append(turns)
                truth += self.truth[start : start + len(turns)]
            start += len(turns)
        return Examples(tuple(chosen), tuple(truth))


def remove(examples: Examples, modalities: Sequence[str]) -> Examples:
    """The same examples with some modalities absent."""
    dialogues = tuple(
        tuple(without(turn, *modalities) for turn in turns) for turns in examples.dialogues
    )
    return Examples(dialogues, examples.truth, examples.second_truth)


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
    single = all(len(dialogue) == 1 for dialogue in dialogues)
    stretches = [Stretch(turns, 1, 0) for turns in dialogues] if single else []
    if not single:
        stretches = [part for turns in dialogues for part in split_by_context(model, turns)]
    results: dict[int, Tensor] = {}
    with progress_bar() as bar, _evaluating(model):
        task = bar.add_task("scoring", total=len(stretches), note="")
        for batch in _singles(stretches) if single else _by_length(stretches):
            chosen = [stretches[index].turns for index in batch]
            if single:
                scores = model.score_variants([], [turns[0] for turns in chosen])
            else:
                scores = model(chosen)
            parts = torch.split(scores.float().cpu(), [len(turns) for turns in chosen])
            for index, part in zip(batch, parts, strict=True):
                results[index] = part[-stretches[index].scored :]
            bar.update(task, advance=len(batch))
    return torch.cat([results[index] for index in range(len(stretches))])


@dataclass(frozen=True, eq=False)
class Stretch:
    """Turns of a dialogue that are read with the same first turn."""

    turns: Sequence[TurnInputs]
    """What is read."""
    scored: int
    """How many of them, at the end, are scored here; the others are context."""
    length: int
    """Tokens of the prompt."""


def split_by_context(model: EmotionModel, turns: Sequence[TurnInputs]) -> list[Stretch]:
    """The stretches of a dialogue, each turn scored once, with the past that it has live."""
    instruction = len(model.prompt.instruction)
    lengths = [model.prompt.turn_length(turn.shape) for turn in turns]
    firsts = first_turns(lengths, model.spec.prompt.context_tokens - instruction)
    starts = [i for i, first in enumerate(firsts) if i == 0 or first != firsts[i - 1]]
    return [
        Stretch(turns[first:end], end - start, instruction + sum(lengths[first:end]))
        for start, end in zip(starts, [*starts[1:], len(turns)], strict=True)
        for first in [firsts[start]]
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


def _singles(stretches: Sequence[Stretch]) -> list[range]:
    count = len(stretches)
    return [range(at, min(at + BATCH_TURNS, count)) for at in range(0, count, BATCH_TURNS)]


def _by_length(stretches: Sequence[Stretch]) -> list[list[int]]:
    """Stretches of like length together, so that little is padding."""
    batches: list[list[int]] = [[]]
    for index in sorted(range(len(stretches)), key=lambda i: stretches[i].length):
        if batches[-1] and stretches[index].length * (len(batches[-1]) + 1) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(index)
    return batches
