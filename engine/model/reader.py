"""Reads a dialogue turn by turn; what was read once stays in the LLM's key-value cache.

The prompt is append-only (`engine.model.prompt`), so the keys and values of the turns before
an utterance are those of the last time, and an utterance costs its own tokens only, however
long the conversation is. Alternatives of a turn, with and without a modality, are read in one
pass, and what they begin with alike once. Voice and pictures stand before the words, so they
can be read while these are still being recognised.

Letters in shapes: n alternatives, E emotions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from engine.model.paths import Line, PathCache

if TYPE_CHECKING:
    from engine.model.model import EmotionModel, TurnInputs


class DialogueReader:
    """One dialogue, as far as it was read. Not thread-safe.

    A history that does not go on from the one before is right too, and costs what is new in it.
    """

    def __init__(self, model: EmotionModel) -> None:
        """Nothing is read yet."""
        self._model = model
        self.forget()

    @property
    def cached_tokens(self) -> int:
        """Tokens whose keys and values are kept."""
        return len(self._paths)

    def forget(self) -> None:
        """Begin anew: the memory of the dialogue is freed."""
        self._paths = PathCache(self._model)

    def __call__(self, history: Sequence[TurnInputs], variants: Sequence[TurnInputs]) -> Tensor:
        """Label scores of alternatives of the next turn: (n, E).

        Args:
            history: The turns that the next one is read after, already cut to the context.
            variants: The alternatives.
        """
        states = self._read(history, [self._to_cue(history, turn) for turn in variants])
        return self._model.score(states, variants)

    def prepare(self, history: Sequence[TurnInputs]) -> None:
        """Read a history before there is a next turn, so that this costs nothing then."""
        self._read(history, [])

    def begin(self, history: Sequence[TurnInputs], variants: Sequence[TurnInputs]) -> None:
        """Read what stands before the words of the next turn, which are not known yet.

        Args:
            history: As it will be given with the words.
            variants: Alternatives of the turn, without words, the turn itself first: that is
                read to its end, too, for there may be none.
        """
        speakers = [turn.speaker for turn in history]
        openings = [
            Line(self._model.prompt.opening(speakers, variant.shape), variant)
            for variant in variants
        ]
        self._read(history, [*openings, self._to_cue(history, variants[0])])

    def _read(self, history: Sequence[TurnInputs], branches: Sequence[Line]) -> Tensor:
        stem = [Line(self._model.prompt.instruction), *self._lines((), history)]
        try:
            return self._paths.read(stem, branches)
        except BaseException:
            self.forget()  # the cache may hold half of what was being read
            raise

    def _lines(self, before: Sequence[TurnInputs], turns: Sequence[TurnInputs]) -> list[Line]:
        """Lines of some turns, with their ends."""
        speakers = [turn.speaker for turn in before]
        lines = self._model.prompt.lines(speakers, [turn.shape for turn in turns])
        return [Line(ids, turn) for ids, turn in zip(lines, turns, strict=True)]

    def _to_cue(self, before: Sequence[TurnInputs], turn: TurnInputs) -> Line:
        """A turn up to where its label is scored."""
        (line,) = self._lines(before, [turn])
        return Line(line.ids[: len(line.ids) - len(self._model.prompt.line_end)], turn)
