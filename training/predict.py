"""Label probabilities of a recogniser for many prepared turns at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.model.model import TurnInputs
from engine.model.recognizer import Recognizer, used_modalities, without
from training.progress import progress_bar

BATCH_TURNS = 64
BATCH_TOKENS = 1400


@dataclass(frozen=True, eq=False)
class Examples:
    """Dialogues with a truth for each turn."""

    dialogues: tuple[tuple[TurnInputs, ...], ...]
    """Turns in order; a turn alone is a dialogue of one."""
    truth: tuple[int, ...]
    """Label index of every turn in order; -1 where the bundle has no such label."""

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


def label_scores(recognizer: Recognizer, dialogues: Sequence[Sequence[TurnInputs]]) -> Tensor:
    """Uncalibrated label scores of every turn, in order: (n, E)."""
    single = all(len(dialogue) == 1 for dialogue in dialogues)
    batches = _singles(dialogues) if single else _by_length(recognizer, dialogues)
    results: dict[int, Tensor] = {}
    with progress_bar() as bar, torch.inference_mode():
        task = bar.add_task("scoring", total=len(dialogues), note="")
        for batch in batches:
            chosen = [dialogues[index] for index in batch]
            if single:
                scores = recognizer.model.score_variants([], [turns[0] for turns in chosen])
            else:
                scores = recognizer.model(chosen)
            parts = torch.split(scores, [len(turns) for turns in chosen])
            results.update(zip(batch, parts, strict=True))
            bar.update(task, advance=len(batch))
    return torch.cat([results[index] for index in range(len(dialogues))])


def probabilities(recognizer: Recognizer, dialogues: Sequence[Sequence[TurnInputs]]) -> Tensor:
    """Calibrated probabilities of every turn, in order: (n, E)."""
    used = [used_modalities(turn) for dialogue in dialogues for turn in dialogue]
    return recognizer.calibration.probabilities(label_scores(recognizer, dialogues), used)


def remove(examples: Examples, modalities: Sequence[str]) -> Examples:
    """The same examples with some modalities absent."""
    dialogues = tuple(
        tuple(without(turn, *modalities) for turn in turns) for turns in examples.dialogues
    )
    return Examples(dialogues, examples.truth)


def _singles(dialogues: Sequence[Sequence[TurnInputs]]) -> list[list[int]]:
    indices = list(range(len(dialogues)))
    return [indices[start : start + BATCH_TURNS] for start in range(0, len(indices), BATCH_TURNS)]


def _by_length(
    recognizer: Recognizer, dialogues: Sequence[Sequence[TurnInputs]]
) -> list[list[int]]:
    """Dialogues of like length together, so that little is padding."""
    lengths = [
        recognizer.model.prompt.history_length([turn.shape for turn in turns])
        for turns in dialogues
    ]
    batches: list[list[int]] = [[]]
    for index in sorted(range(len(dialogues)), key=lambda i: lengths[i]):
        if batches[-1] and lengths[index] * (len(batches[-1]) + 1) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(index)
    return batches
