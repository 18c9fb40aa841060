"""Published prosody of a corpus, given to the turns of its dialogues as it is measured live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.model.model import TurnInputs
from engine.model.prosody import ProsodyEncoder, add_prosody
from training.datasets.dialogues import Dialogue


def with_published(
    turns: Sequence[TurnInputs],
    dialogue: Dialogue,
    encoder: ProsodyEncoder | None,
    scores: Tensor | None = None,
) -> tuple[TurnInputs, ...]:
    """The turns with prosody, each after the turns before it; without where none is published.

    Prosody that was measured of a turn's own sound, as it is live, is kept.

    Args:
        turns: Of the utterances of `dialogue`, in order.
        dialogue: Has the measures.
        encoder: Scores them; with None the turns are as they were.
        scores: (n, E) that replace the encoder's own, such as out-of-fold ones.
    """
    if encoder is None:
        return tuple(turns)
    out: list[TurnInputs] = []
    for index, (turn, utterance) in enumerate(zip(turns, dialogue.utterances, strict=True)):
        if utterance.prosody is not None and turn.prosody is None:  # else measured of its clip
            turn = add_prosody(turn, torch.tensor(utterance.prosody), encoder, out)
            if scores is not None:
                turn = replace(turn, prosody_scores=scores[index])
        out.append(turn)
    return tuple(out)
