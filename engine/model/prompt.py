"""The append-only prompt: ids of a dialogue and where its labels are scored.

    <instruction>
    A:<video tokens><audio tokens> I just feel like someone reached down my throat ->
    B:<video tokens><audio tokens> Oh! ->

Turns are tokenised piece by piece, so the prompt of a dialogue is always a prefix of
the prompt of the same dialogue with more turns. The answer is never written: the label
is scored at the cue, so no past label, predicted or true, is in the history. Speakers
are letters in their order of appearance, as a live system knows no names.

A position that an embedding fills (not a token of the vocabulary) has a negative id.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.model.spec import PromptSpec

VIDEO, AUDIO = -1, -2
"""Slots that a video or an audio token fills."""
NO_TEXT, NO_AUDIO, NO_VIDEO = -3, -4, -5
"""Slots of the learned absent tokens."""
VIDEO_PLACEHOLDER, AUDIO_PLACEHOLDER = -6, -7
"""Slots that stand for a video or an audio token in stage 1 (paper), where there is none yet."""

KEPT_TEXTS = 1 << 15
"""Texts whose ids are remembered: all of a corpus such as MELD, some 10 MB."""

_PLAIN = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014", "''\"\"--") | {0x2026: "..."}
_SPECIAL = re.compile(r"<\|.*?\|>|</?s>|\[/?INST\]")


@dataclass(frozen=True)
class TurnShape:
    """What the prompt needs to know of a turn."""

    speaker: str
    """Any name; the prompt shows a letter."""
    text: str | None
    """Words; None or blank where they are unknown."""
    video_tokens: int
    """0 where the video is absent."""
    audio_tokens: int
    """0 where the audio is absent."""
    placeholders: bool = False
    """Whether placeholders stand in for the tokens."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """Ids of a dialogue of T tokens and n turns."""

    ids: NDArray[np.int64]
    """(T,) token ids; negative where an embedding is filled in."""
    cues: NDArray[np.int64]
    """(n,) position at which the label of each turn is scored."""


@dataclass(frozen=True, eq=False)
class DescribedPrompt:
    """Ids of a dialogue with a description of behaviour at some of its turns, in stage 1.

    The first S ids are the dialogue, the stem; then come the branches, one for each
    description. A branch goes on after the words of its turn and sees the dialogue up to
    there and itself, so that all descriptions of a dialogue are read in one pass without
    any seeing another, exactly as if each turn were a prompt of its own.
    """

    ids: NDArray[np.int64]
    """(T,) token ids; negative where an embedding is filled in."""
    positions: NDArray[np.int64]
    """(T,) position of each in its own path."""
    targets: NDArray[np.int64]
    """(T,) id that follows, where it is one of a description or its end; -100 elsewhere."""
    branches: tuple[tuple[int, int], ...]
    """Of each branch: how many ids of the stem it sees, and its length."""

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(T, T) whether the token of a row sees that of a column.

        Made anew each time: kept for every dialogue of a corpus it would fill the memory.
        """
        visible = np.tril(np.ones((len(self.ids), len(self.ids)), np.bool_))
        first = len(self.ids) - sum(length for _, length in self.branches)
        for start, length in self.branches:
            visible[first : first + length, start:first] = False
            first += length
        return visible


@dataclass(frozen=True)
class Stretch:
    """Turns of a dialogue that are read with the same first turn."""

    first: int
    """Index of the first turn that is read."""
    start: int
    """Index of the first turn that is scored; those before it are context."""
    end: int
    """Index after the last turn."""
    tokens: int
    """Of the prompt, at most."""


class PromptBuilder:
    """Builds prompts with one tokenizer; training, export and live use no other."""

    def __init__(self, tokenizer: Any, spec: PromptSpec) -> None:
        """Tokenise what never changes."""
        self._tokenizer = tokenizer
        self._spec = spec
        self._before = _before_lines(tokenizer) if spec.within_lines else ()
        # An epoch builds each prompt three times, a live turn once for each modality it may lack.
        self._encode = functools.lru_cache(KEPT_TEXTS)(self._tokenize)
        self._cue = self._encode(spec.cue)
        self.line_end = self._encode("\n")
        self._behaviour_cue = self._encode(spec.behaviour_cue)
        self.instruction = self._opening(spec.instruction)
        self.behaviour_instruction = self._opening(spec.behaviour_instruction)

    @property
    def cue_length(self) -> int:
        """Tokens of the cue."""
        return len(self._cue)

    def ids(self, text: str) -> tuple[int, ...]:
        """Ids of a part of a line."""
        return self._encode(text)

    def label_ids(self, labels: Sequence[str]) -> list[int]:
        """The token that stands for each label: the one after the cue when it is written there.

        Raises:
            ValueError: two labels begin with the same token of this base model.
        """
        # Written with the cue: alone, some tokenizers put one more space mark before the label.
        written = [self._encode(f"{self._spec.cue} {label}") for label in labels]
        first = [ids[len(self._cue)] for ids in written if ids[: len(self._cue)] == self._cue]
        if len(set(first)) != len(labels):
            raise ValueError(f"labels {', '.join(labels)} do not differ in their first token")
        return first

    def build(self, turns: Sequence[TurnShape]) -> Prompt:
        """Ids and cue positions of a whole dialogue."""
        return self._dialogue(self.instruction, turns)

    def build_described(
        self, turns: Sequence[TurnShape], descriptions: Sequence[str | None]
    ) -> DescribedPrompt:
        """A dialogue and the descriptions of its turns; None where a turn has none."""
        dialogue = self._dialogue(self.behaviour_instruction, turns)
        ids, positions = list(dialogue.ids), list(range(len(dialogue.ids)))
        targets = [-100] * len(ids)
        branches = []
        for cue, text in zip(dialogue.cues, descriptions, strict=True):
            if text is None:
                continue
            start = int(cue) + 1 - len(self._cue)
            words = self._encode(f" {clean_text(text)}")[: self._spec.max_behaviour_tokens]
            branch = [*self._behaviour_cue, *words]
            ids += branch
            positions += range(start, start + len(branch))
            # Of several tokens of the line end the last is the end: the first is a mere space mark.
            targets += [*[-100] * (len(self._behaviour_cue) - 1), *words, *self.line_end[-1:]]
            branches.append((start, len(branch)))
        return DescribedPrompt(
            np.array(ids), np.array(positions), np.array(targets), tuple(branches)
        )

    def _dialogue(self, instruction: Sequence[int], turns: Sequence[TurnShape]) -> Prompt:
        ids = list(instruction)
        cues = []
        for line in self.lines((), turns):
            ids += line
            cues.append(len(ids) - 1 - len(self.line_end))
        return Prompt(np.array(ids[: cues[-1] + 1]), np.array(cues))

    def lines(self, speakers: Sequence[str], turns: Sequence[TurnShape]) -> list[list[int]]:
        """Ids that turns add to a prompt: a line each, with its end.

        Args:
            speakers: Of the turns before them.
            turns: In order.
        """
        letters = _letters([*speakers, *(turn.speaker for turn in turns)])[len(speakers) :]
        return [
            [*self._turn(turn, letter), *self.line_end]
            for turn, letter in zip(turns, letters, strict=True)
        ]

    def history_length(self, turns: Sequence[TurnShape]) -> int:
        """Length of the part of a prompt before the next turn."""
        return len(self.instruction) + sum(self.turn_length(turn) for turn in turns)

    def stretches(self, turns: Sequence[TurnShape], budget: int | None = None) -> list[Stretch]:
        """A dialogue cut to the context: each turn is scored once, with the past it has live.

        Args:
            turns: All of them.
            budget: Tokens of a prompt; by default those of the spec.
        """
        lengths = [self.turn_length(turn) for turn in turns]
        firsts = first_turns(lengths, self._room(budget))
        starts = [i for i, first in enumerate(firsts) if i == 0 or first != firsts[i - 1]]
        return [
            Stretch(
                firsts[start], start, end, len(self.instruction) + sum(lengths[firsts[start] : end])
            )
            for start, end in zip(starts, [*starts[1:], len(turns)], strict=True)
        ]

    def first_read(self, turns: Sequence[TurnShape]) -> int:
        """Index of the first turn that the last one is read with, 0 without any.

        No later turn is read with one before it, so those need not be kept: without them every
        later turn is read with just the same.
        """
        if not turns:
            return 0
        return first_turns([self.turn_length(turn) for turn in turns], self._room(None))[-1]

    def first_ahead(self, turns: Sequence[TurnShape], most: int) -> int:
        """Index of the first turn that a next one is read with, if it is long.

        Args:
            turns: All that the next one may be read with, in order.
            most: Tokens that the next one has, at most; of a small context a quarter counts.
        """
        lengths, room = [self.turn_length(turn) for turn in turns], self._room(None)
        return first_turns([*lengths, min(most, room // 4)], room)[-1]

    def _room(self, budget: int | None) -> int:
        """Tokens of a prompt that turns may take."""
        return (budget or self._spec.context_tokens) - len(self.instruction)

    def turn_length(self, turn: TurnShape) -> int:
        """Tokens that a turn takes."""
        return len(self.lines((), [turn])[0])

    def _turn(self, turn: TurnShape, letter: str) -> list[int]:
        video_slot, audio_slot = VIDEO, AUDIO
        if turn.placeholders:
            video_slot, audio_slot = VIDEO_PLACEHOLDER, AUDIO_PLACEHOLDER
        video = [video_slot] * turn.video_tokens or [NO_VIDEO]
        audio = [audio_slot] * turn.audio_tokens or [NO_AUDIO]
        text = clean_text(turn.text)
        words = self._encode(f" {text}")[-self._spec.max_text_tokens :] if text else (NO_TEXT,)
        return [*self._encode(f"{letter}:"), *video, *audio, *words, *self._cue]

    def _tokenize(self, text: str) -> tuple[int, ...]:
        """Ids of plain text; what is spelt like a special token is not read as one."""
        if not self._before:
            return _plain_ids(self._tokenizer, text)
        return _plain_ids(self._tokenizer, f"\n{text}")[len(self._before) :]

    def _opening(self, text: str) -> list[int]:
        """Ids of what opens a dialogue: with what a tokenizer begins, not with what it ends."""
        ids = list(self._tokenizer(text).input_ids)
        end = getattr(self._tokenizer, "eos_token_id", None)
        return ids[:-1] if ids and end is not None and ids[-1] == end else ids


def _plain_ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    encoded = tokenizer(text, add_special_tokens=False, split_special_tokens=True)
    return tuple(encoded.input_ids)


def _before_lines(tokenizer: Any) -> tuple[int, ...]:
    """Ids of a line end by itself, where the tokenizer puts a space mark before every text.

    What follows a line end has no such mark, so after it a text is tokenised as it stands within
    a prompt. Other tokenizers need none of it: empty.
    """
    alone, twice = (_plain_ids(tokenizer, text) for text in ("\n", "\n\n"))
    return alone if len(alone) > 1 and twice == (*alone, alone[-1]) else ()


@functools.lru_cache(KEPT_TEXTS)
def clean_text(text: str | None) -> str:
    """One line in plain punctuation, with nothing that a tokenizer reads as a special token.

    Typographic quotes, dashes and ellipses become ASCII: a recogniser of speech writes
    none, and each costs three tokens.
    """
    plain = (text or "").translate(_PLAIN)
    printable = "".join(c if c.isprintable() else " " for c in plain)
    while _SPECIAL.search(printable):
        printable = _SPECIAL.sub(" ", printable)
    return " ".join(printable.split())


def first_turns(lengths: Sequence[int], budget: int) -> list[int]:
    """For each turn, the index of the first turn that it is read with.

    When the budget is exceeded the older half is dropped at once, so that the prompt
    changes seldom and a cache of it stays valid between.
    """
    firsts = []
    first = 0
    for index in range(len(lengths)):
        while first < index and sum(lengths[first : index + 1]) > budget:
            first += (index - first + 1) // 2
        firsts.append(first)
    return firsts


def _letters(speakers: Sequence[str]) -> list[str]:
    order: dict[str, int] = {}
    numbers = [order.setdefault(speaker, len(order)) for speaker in speakers]
    return [chr(ord("A") + number % 26) for number in numbers]
