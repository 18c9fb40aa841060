"""What the two stages are trained on: dialogues as sequences that fit the context.

Letters in shapes: n turns, E emotions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.model.model import TurnInputs
from engine.model.prompt import DescribedPrompt, PromptBuilder, TurnShape
from engine.model.spec import ModelSpec
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.describe.description import Description


@dataclass(frozen=True, eq=False)
class TrainingSequence:
    """Turns of one dialogue and a distribution over the labels for each (stage 2)."""

    turns: tuple[TurnInputs, ...]
    targets: Tensor
    """(n, E), rows sum to 1, or are zero where a turn is context only."""
    clips: tuple[str | None, ...] = ()
    """Key of each turn's prepared clip, where the encoders are trained too; else empty."""


@dataclass(frozen=True, eq=False)
class DescribedSequence:
    """A dialogue with placeholders and the descriptions that branch off it (stage 1)."""

    turns: tuple[TurnInputs, ...]
    """Words alone."""
    prompt: DescribedPrompt


AnySequence = TrainingSequence | DescribedSequence


def text_sequence(dialogue: Dialogue, labels: Sequence[str]) -> TrainingSequence:
    """A dialogue with words alone; an utterance without a target is context."""
    turns = tuple(TurnInputs(u.speaker, u.text) for u in dialogue.utterances)
    return TrainingSequence(turns, label_targets(dialogue, labels))


def word_sequences(
    dialogues: Sequence[Dialogue], labels: Sequence[str], prompt: PromptBuilder
) -> list[TrainingSequence]:
    """Dialogues with words alone, cut so that each turn has the history that it would have live."""
    return [part for one in dialogues for part in in_context(text_sequence(one, labels), prompt)]


def label_targets(dialogue: Dialogue, labels: Sequence[str]) -> Tensor:
    """(n, E) one-hot rows; zero for an utterance whose emotion is not among the labels."""
    targets = torch.zeros(len(dialogue.utterances), len(labels))
    for row, utterance in enumerate(dialogue.utterances):
        if utterance.emotion in labels:
            targets[row, labels.index(utterance.emotion)] = 1
    return targets


def in_context(
    sequence: TrainingSequence, prompt: PromptBuilder, budget: int | None = None
) -> list[TrainingSequence]:
    """Cut a sequence so that each turn is read with the history that it would have live.

    Turns that share their first turn are one sequence; those before them in it are context
    without a target.
    """
    stretches = prompt.stretches([turn.shape for turn in sequence.turns], budget)
    if len(stretches) == 1:
        return [sequence]
    parts = []
    for one in stretches:
        targets = sequence.targets[one.first : one.end].clone()
        targets[: one.start - one.first] = 0
        turns = sequence.turns[one.first : one.end]
        clips = sequence.clips[one.first : one.end]
        parts.append(TrainingSequence(turns, targets, clips))
    return parts


def described_sequences(
    dialogue: Dialogue,
    descriptions: Mapping[int, Description],
    parts: tuple[str, ...],
    prompt: PromptBuilder,
    spec: ModelSpec,
) -> list[DescribedSequence]:
    """A dialogue's sequences for stage 1; none where nothing of it is described.

    Args:
        dialogue: Gives the words; the modalities are placeholders.
        descriptions: By utterance id.
        parts: Of the descriptions, that are learned.
        prompt: Builds the ids.
        spec: Says how many tokens the placeholders stand for.
    """
    utterances = dialogue.utterances
    shapes = [_placeholder_shape(utterance, spec) for utterance in utterances]
    texts = [_text(descriptions.get(u.utterance_id), parts) for u in utterances]
    turns = tuple(TurnInputs(u.speaker, u.text) for u in utterances)
    made = []
    for one in prompt.stretches(shapes):
        own = [None] * (one.start - one.first) + texts[one.start : one.end]
        if any(text is not None for text in own):
            built = prompt.build_described(shapes[one.first : one.end], own)
            made.append(DescribedSequence(turns[one.first : one.end], built))
    return made


def _text(description: Description | None, parts: tuple[str, ...]) -> str | None:
    return (description.text(parts) or None) if description else None


def _placeholder_shape(utterance: DialogueUtterance, spec: ModelSpec) -> TurnShape:
    """As many placeholders as the clip will give tokens, as far as its times tell."""
    windows = 1
    if utterance.start is not None and utterance.end is not None:
        beyond = max(0.0, utterance.end - utterance.start - spec.audio.window_seconds)
        windows = min(spec.audio.max_windows, 1 + -int(-beyond // spec.audio.hop_seconds))
    return TurnShape(
        utterance.speaker, utterance.text, spec.video.tokens, windows, placeholders=True
    )
