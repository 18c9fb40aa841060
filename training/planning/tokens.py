"""How many tokens the prompts of a corpus take, counted or estimated.

With the corpus and the tokenizer at hand tokens are counted. Otherwise they are estimated
from published statistics, as dialogues of equal length with utterances of equal length.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from engine.model.prompt import PromptBuilder, clean_text, first_turns
from engine.model.spec import AudioSpec, ModelSpec
from training.datasets.dialogues import Dialogue
from training.settings import Pretuning

TOKENS_PER_WORD = 1.44
"""What SmolLM2's tokenizer takes on MELD's train split, where a word ends at a space."""
DESCRIPTION_TOKENS = 60
"""Of a description in three short sentences; the budget of the prompt caps it. Ours."""


@dataclass(frozen=True)
class Statistics:
    """Published figures of a corpus's training split."""

    dialogues: int
    utterances: int
    words: float
    """Per utterance."""
    seconds: float
    """Per utterance."""
    source: str


STATISTICS: Mapping[str, Statistics] = MappingProxyType(
    {
        "meld": Statistics(1038, 9989, 8.0, 3.1, "Poria et al., 2019; times of its csv"),
        "iemocap": Statistics(
            120, 5810, 11.4, 4.5, "Busso et al., 2008; six classes of sessions 1 to 4"
        ),
        "emorynlp": Statistics(
            659, 7551, 7.9, 3.0, "csv of Zahiri and Choi, 2018; duration as in MELD"
        ),
        "dailydialog": Statistics(11118, 87170, 14.6, 0.0, "Li et al., 2017"),
        "goemotions": Statistics(43410, 43410, 12.8, 0.0, "Demszky et al., 2020"),
    }
)
"""By corpus."""

COMMENTS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"goemotions": (15216, 12823, 4293, 3858, 2326, 541, 498)}
)
"""Of corpora of single comments, how many of the training split have each of MELD's labels."""


@dataclass(frozen=True)
class TurnSize:
    """What one turn can give."""

    text: float
    """Tokens of its words."""
    windows: float
    """Tokens of its sound."""


@dataclass(frozen=True)
class FixedSizes:
    """Tokens of what every prompt has."""

    instruction: float
    behaviour_instruction: float
    name: float
    """`A:` at the start of a turn."""
    cue: float
    behaviour_cue: float
    end: float
    """The line break after a turn."""


@dataclass(frozen=True)
class CorpusSizes:
    """Sizes of a training split."""

    dialogues: tuple[tuple[TurnSize, ...], ...]
    fixed: FixedSizes
    source: str
    """Where the figures are from."""
    estimated: bool
    """Whether any of them is not counted."""


@dataclass(frozen=True)
class Presence:
    """Share of the turns that have a modality."""

    text: float = 1.0
    audio: float = 0.0
    video: float = 0.0


@dataclass(frozen=True)
class SequenceSize:
    """One sequence of a batch."""

    tokens: int
    logits: int = 0
    """Of its tokens, those predicted out of the whole vocabulary."""


def published_sizes(corpus: str, spec: ModelSpec) -> CorpusSizes | None:
    """Sizes by `STATISTICS`; None for a corpus that has none."""
    known = STATISTICS.get(corpus)
    if known is None:
        return None
    dialogues = _alike(known, known.utterances, known.dialogues, spec)
    return CorpusSizes(dialogues, _fixed(spec, None), known.source, estimated=True)


def published_pretuning(settings: Pretuning, spec: ModelSpec) -> CorpusSizes:
    """Sizes of what is pre-tuned on (`training.datasets.pretuning`), by `STATISTICS`."""
    dialogues = list[tuple[TurnSize, ...]]()
    for name in settings.corpora:
        known = STATISTICS[name]
        count, groups = known.utterances, known.dialogues
        if name in COMMENTS:
            count = sum(min(labelled, settings.per_label) for labelled in COMMENTS[name])
            groups = -(-count // settings.turns)
        dialogues += _alike(known, count, groups, spec)
    source = "; ".join(STATISTICS[name].source for name in settings.corpora)
    return CorpusSizes(tuple(dialogues), _fixed(spec, None), source, estimated=True)


def _alike(
    known: Statistics, utterances: int, dialogues: int, spec: ModelSpec
) -> tuple[tuple[TurnSize, ...], ...]:
    """Whole turns that add up: some dialogues have one more than the others."""
    turn = TurnSize(known.words * TOKENS_PER_WORD, _windows(known.seconds, spec.audio))
    ends = [utterances * i // dialogues for i in range(dialogues + 1)]
    return tuple((turn,) * (end - start) for start, end in itertools.pairwise(ends))


def counted_sizes(
    dialogues: Sequence[Dialogue], spec: ModelSpec, tokenizer: Any | None
) -> CorpusSizes:
    """Sizes of the dialogues at hand; without a tokenizer from their numbers of words.

    A turn without times counts as one window.
    """
    prompt = None if tokenizer is None else PromptBuilder(tokenizer, spec.prompt)

    def words(text: str) -> float:
        plain = clean_text(text)
        if tokenizer is None:
            return TOKENS_PER_WORD * len(plain.split())
        return len(prompt.ids(f" {plain}")) if plain and prompt else 0

    sizes = tuple(
        tuple(
            TurnSize(words(turn.text), _windows(_duration(turn.start, turn.end), spec.audio))
            for turn in dialogue.utterances
        )
        for dialogue in dialogues
    )
    source = "counted" if tokenizer else f"words counted, {TOKENS_PER_WORD} tokens each"
    return CorpusSizes(sizes, _fixed(spec, tokenizer), source, estimated=tokenizer is None)


def packed(
    sizes: CorpusSizes, spec: ModelSpec, presence: Presence, *, described: bool = False
) -> list[SequenceSize]:
    """A sequence per dialogue, cut where the context of the spec is full.

    Args:
        sizes: Of the corpus.
        spec: Of the model.
        presence: Of the modalities.
        described: Stage 1: a description branches off every turn.
    """
    fixed = sizes.fixed
    instruction = fixed.behaviour_instruction if described else fixed.instruction
    description = min(DESCRIPTION_TOKENS, spec.prompt.max_behaviour_tokens) if described else 0
    branch = fixed.behaviour_cue + description if described else 0.0
    budget = round(spec.prompt.context_tokens - fixed.instruction)
    made = []
    for dialogue in sizes.dialogues:
        turns = [turn_length(turn, fixed, spec, presence) for turn in dialogue]
        for first, start, end in _stretches(turns, budget):
            stem = instruction + sum(turns[first:end]) - fixed.end
            count = end - start
            made.append(SequenceSize(round(stem + branch * count), description * count))
    return made


def one_by_one(
    sizes: CorpusSizes, spec: ModelSpec, presence: Presence, past: int = 8
) -> list[SequenceSize]:
    """A prompt per utterance with some past utterances, as most published systems have it."""
    fixed = sizes.fixed
    made = []
    for dialogue in sizes.dialogues:
        turns = [turn_length(turn, fixed, spec, presence) for turn in dialogue]
        for index in range(len(turns)):
            shown = turns[max(0, index - past) : index + 1]
            made.append(SequenceSize(round(fixed.instruction + sum(shown) - fixed.end)))
    return made


def turn_length(turn: TurnSize, fixed: FixedSizes, spec: ModelSpec, presence: Presence) -> float:
    """Tokens of a turn, on average; a modality that is absent takes one token."""
    text = min(turn.text, spec.prompt.max_text_tokens) or 1
    slots = (
        1 + presence.text * (text - 1),
        1 + presence.audio * (turn.windows - 1),
        1 + presence.video * (spec.video.tokens - 1),
    )
    return fixed.name + sum(slots) + fixed.cue + fixed.end


def _stretches(turns: Sequence[float], budget: int) -> list[tuple[int, int, int]]:
    """(first turn read, first turn scored, end) of each sequence of a dialogue."""
    firsts = first_turns([round(turn) for turn in turns], budget)
    starts = [i for i, first in enumerate(firsts) if i == 0 or first != firsts[i - 1]]
    ends = [*starts[1:], len(turns)]
    return [(firsts[start], start, end) for start, end in zip(starts, ends, strict=True)]


def _fixed(spec: ModelSpec, tokenizer: Any | None) -> FixedSizes:
    prompt = spec.prompt
    if tokenizer is not None:
        built = PromptBuilder(tokenizer, prompt)
        return FixedSizes(
            instruction=len(built.instruction),
            behaviour_instruction=len(built.behaviour_instruction),
            name=len(built.ids("A:")),
            cue=built.cue_length,
            behaviour_cue=len(built.ids(prompt.behaviour_cue)),
            end=len(built.line_end),
        )
    return FixedSizes(
        instruction=TOKENS_PER_WORD * len(prompt.instruction.split()),
        behaviour_instruction=TOKENS_PER_WORD * len(prompt.behaviour_instruction.split()),
        name=2,
        cue=2,
        behaviour_cue=2,
        end=1,
    )


def _duration(start: float | None, end: float | None) -> float:
    return 0.0 if start is None or end is None else end - start


def _windows(seconds: float, spec: AudioSpec) -> int:
    """As `engine.model.inputs.audio_windows` cuts them."""
    beyond = max(0.0, seconds - spec.window_seconds)
    return min(spec.max_windows, 1 + -int(-beyond // spec.hop_seconds))
