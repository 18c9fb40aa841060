"""Reads a dialogue turn by turn; what was read once stays in the LLM's key-value cache.

The prompt is append-only (`engine.model.prompt`), so the keys and values of the turns before
an utterance are those of the last time, and an utterance costs its own tokens only, however
long the conversation is. Alternatives of a turn are read in one pass, and what they begin with
alike once.

Letters in shapes: n alternatives, E emotions.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from engine.giving_up import Check, go_on
from engine.model.paths import Line, PathCache
from engine.model.prompt import AUDIO, VIDEO

if TYPE_CHECKING:
    from engine.model.model import EmotionModel, TurnInputs

SLOTS = {"audio": AUDIO, "video": VIDEO}
"""Ids of the tokens of the modalities that stand before the words."""


class DialogueReader:
    """One dialogue, as far as it was read. Not thread-safe.

    A history that does not go on from the one before is right too, and costs what is new in it.
    """

    def __init__(self, model: EmotionModel) -> None:
        """Nothing is read yet."""
        self._model = model
        self._opening = Line(model.prompt.instruction)
        self._paths = PathCache(model)
        self._past: list[tuple[TurnInputs, Line]] = []  # of the last history

    @property
    def cached_tokens(self) -> int:
        """Tokens whose keys and values are kept."""
        return len(self._paths)

    def __call__(self, history: Sequence[TurnInputs], variants: Sequence[TurnInputs]) -> Tensor:
        """Label scores of alternatives of the next turn: (n, E).

        Args:
            history: The turns that the next one is read after, already cut to the context.
            variants: The alternatives.
        """
        states = self._read(history, [self._to_cue(history, turn) for turn in variants])
        return self._model.score(states, variants)

    def knows(self, history: Sequence[TurnInputs]) -> int:
        """How many turns a history begins with just as the last one did."""
        pairs = zip(self._past, history, strict=False)
        return sum(1 for _ in itertools.takewhile(lambda pair: pair[0][0] is pair[1], pairs))

    def prepare(self, history: Sequence[TurnInputs]) -> None:
        """Read a history before there is a next turn, so that this costs nothing then."""
        self._read(history, [])

    def contrast(
        self,
        history: Sequence[TurnInputs],
        turn: TurnInputs,
        without: Mapping[str, TurnInputs],
        check: Check = go_on,
    ) -> Tensor:
        """Label scores of the next turn, then of what it is without each of some modalities.

        Voice and pictures stand before the words, so without one of them all words would have
        to be read anew, which takes as long as the turn itself. Instead the token at which the
        label is scored is read anew, not seeing them (attention knockout, arXiv 2304.14767);
        the words still know of them. `benchmarks.contributions` measures how little that changes.

        Args:
            history: The turns before it, already cut to the context.
            turn: The turn.
            without: By the name of a modality the turn that lacks it.
            check: Called time and again; what it raises ends the reading, and costs nothing of
                what was read before.

        Returns:
            (1 + n, E), in the order given.
        """
        whole, cue = self._to_cue(history, turn), self._model.prompt.cue_length
        lines = [
            replace(whole, unseen=SLOTS[name], last=cue)
            if name in SLOTS
            else self._to_cue(history, other)
            for name, other in without.items()
        ]
        states = self._read(history, [whole, *lines], check)
        return self._model.score(states, [turn, *without.values()])

    def _read(
        self,
        history: Sequence[TurnInputs],
        branches: Sequence[Line],
        check: Check = go_on,
    ) -> Tensor:
        stem = [self._opening, *self._past_lines(history)]
        return self._paths.read(stem, branches, check)

    def _past_lines(self, history: Sequence[TurnInputs]) -> list[Line]:
        """Lines of a history: those that it begins with as the last one did are known."""
        same = self.knows(history)
        lines = self._lines(history[:same], history[same:])
        self._past[same:] = zip(history[same:], lines, strict=True)
        return [line for _, line in self._past]

    def _lines(self, before: Sequence[TurnInputs], turns: Sequence[TurnInputs]) -> list[Line]:
        """Lines of some turns, with their ends."""
        speakers = [turn.speaker for turn in before]
        lines = self._model.prompt.lines(speakers, [turn.shape for turn in turns])
        return [Line(ids, turn) for ids, turn in zip(lines, turns, strict=True)]

    def _to_cue(self, before: Sequence[TurnInputs], turn: TurnInputs) -> Line:
        """A turn up to where its label is scored."""
        (line,) = self._lines(before, [turn])
        return Line(line.ids[: len(line.ids) - len(self._model.prompt.line_end)], turn)
