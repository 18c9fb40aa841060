"""Reads a dialogue turn by turn; what was read once stays in the LLM's key-value cache.

The prompt is append-only (`engine.model.prompt`), so the keys and values of the turns before
an utterance are those of the last time, and an utterance costs its own tokens only, however
long the conversation is. Alternatives of a turn, with and without a modality, are branches:

    history (cached) | what is new of it | alternative 1 | rest of 2 | rest of 3 | ...

All are read in one pass. Of every other one only what differs from the first is read: it sees
the history, what it has in common with the first, and itself, exactly as if it were the only
one. The first is kept: it is what the history goes on with.

Letters in shapes: Q tokens read now, K tokens with those of the cache, n alternatives,
E emotions, H width of the LLM.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

from engine.model.attention import GROUPED, attention_mask
from engine.model.prompt import AUDIO, VIDEO, Prompt

if TYPE_CHECKING:
    from engine.model.model import EmotionModel, TurnInputs

_NO_CUES = np.empty(0, np.int64)


class DialogueReader:
    """One dialogue, as far as it was read. Not thread-safe.

    A history that does not go on from the one before is right too, and costs what is new in
    it: turns are known again by identity, so pass the same `TurnInputs` objects.
    """

    def __init__(self, model: EmotionModel) -> None:
        """Nothing is read yet."""
        self._model = model
        model.llm.set_attn_implementation(GROUPED)
        self.forget()

    def forget(self) -> None:
        """Begin anew: the memory of the dialogue is freed."""
        self._cache = DynamicCache(config=self._model.llm.config)
        self._turns: tuple[TurnInputs, ...] = ()
        self.cached_tokens = 0
        """Tokens whose keys and values are kept."""

    def __call__(self, history: Sequence[TurnInputs], variants: Sequence[TurnInputs]) -> Tensor:
        """Label scores of alternatives of the next turn, the first being the turn itself: (n, E).

        Args:
            history: The turns that the next one is read after, already cut to the context.
            variants: None where the history alone is to be read.
        """
        try:
            return self._read(tuple(history), variants)
        except BaseException:
            self.forget()  # the cache may hold half of what was being read
            raise

    def prepare(self, history: Sequence[TurnInputs]) -> None:
        """Read a history before there is a next turn, so that this costs nothing then."""
        self(history, ())

    def _read(self, history: tuple[TurnInputs, ...], variants: Sequence[TurnInputs]) -> Tensor:
        model, prompt = self._model, self._model.prompt
        known = self._keep_common(history)
        read, speakers = len(self._turns), [turn.speaker for turn in history]
        shapes = [turn.shape for turn in history]
        # The end of the last line that was read is missing where it was an alternative.
        missing = prompt.history_length(shapes[:read]) - known
        end = prompt.line_end[len(prompt.line_end) - missing :] if known else prompt.instruction
        lines = prompt.lines(speakers[:read], shapes[read:])
        new = Prompt(np.array([*end, *itertools.chain(*lines)], np.int64), _NO_CUES)
        branches = [
            Prompt(np.array(line[: len(line) - len(prompt.line_end)]), _NO_CUES)
            for variant in variants
            for line in prompt.lines(speakers, [variant.shape])
        ]
        shared = [
            _in_common(branches[0], branch, variants[0], variant) if index else 0
            for index, (branch, variant) in enumerate(zip(branches, variants, strict=True))
        ]
        lengths = [len(branch.ids) - count for branch, count in zip(branches, shared, strict=True)]
        parts = [model.embed([new], [history[read:]])] if len(new.ids) else []
        parts += [
            model.embed([own], [[turn]])[:, count:]
            for own, turn, count in zip(branches, variants, shared, strict=True)
        ]
        none = torch.empty(0, len(model.spec.labels))
        if not parts:
            return none  # read already
        start = known + len(new.ids)
        visible, positions = _branching(known, len(new.ids), lengths, shared)
        hidden = model.llm.get_decoder()(
            inputs_embeds=torch.cat(parts, 1),
            attention_mask=attention_mask(torch.from_numpy(visible)[None], parts[0]),
            position_ids=torch.from_numpy(positions)[None].to(model.device),
            cache=self._cache,
            use_cache=True,
        ).last_hidden_state[0]
        self._turns = (*history, *variants[:1])
        self.cached_tokens = start + sum(lengths[:1])
        self._crop(sum(lengths[1:]))
        if not variants:
            return none
        cues = len(new.ids) + np.cumsum(lengths) - 1
        return model.score(hidden[torch.from_numpy(cues)], variants)

    def _keep_common(self, history: tuple[TurnInputs, ...]) -> int:
        """Drop what the history does not begin with; returns the tokens that are left."""
        same = 0
        for old, turn in zip(self._turns, history, strict=False):
            if old is not turn:
                break
            same += 1
        if same < len(self._turns):
            shared = self._model.prompt.history_length([turn.shape for turn in history[:same]])
            self._crop(max(0, self.cached_tokens - shared))
            self.cached_tokens = min(self.cached_tokens, shared)
            self._turns = self._turns[:same]
        return self.cached_tokens

    def _crop(self, tokens: int) -> None:
        if tokens:
            self._cache.crop(-tokens)


def _in_common(first: Prompt, other: Prompt, turn: TurnInputs, variant: TurnInputs) -> int:
    """How many tokens two alternatives begin with alike; never all, as the last is the cue."""
    same_filling = {VIDEO: turn.video is variant.video, AUDIO: turn.audio is variant.audio}
    count = 0
    for one, another in zip(first.ids[:-1], other.ids[:-1], strict=False):
        if one != another or not same_filling.get(int(one), True):
            break
        count += 1
    return count


def _branching(
    cached: int, new: int, lengths: Sequence[int], shared: Sequence[int]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Who sees whom (Q, K), and the position of each token (Q,).

    Args:
        cached: Tokens of the cache.
        new: Tokens that all alternatives see.
        lengths: Of what is read of each alternative.
        shared: Tokens of the first alternative that each goes on from.
    """
    stem = cached + new
    total = new + sum(lengths)
    visible = np.tril(np.ones((total, cached + total), np.bool_), cached)
    positions = [np.arange(cached, stem)]
    first = new
    for length, common in zip(lengths, shared, strict=True):
        visible[first : first + length, stem + common : cached + first] = False
        positions.append(np.arange(stem + common, stem + common + length))
        first += length
    return visible, np.concatenate(positions)
