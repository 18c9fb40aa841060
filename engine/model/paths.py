"""Reads alternatives of how a dialogue goes on, each token once.

What was read is a tree: a path from its root is the beginning of a dialogue, and every token
sees the tokens of its own path alone, exactly as if there were no others.

    instruction - turn 1 - ... - turn n - video audio -+- words -+- cue
                                                       |         +- cue that sees no audio
                                                       +- no words - cue

Keys and values stay in the LLM's cache, a slot for each token in the order of reading, which
need not be the order of a path: where a token stands is told by its depth.

Letters in shapes: Q tokens read now, K tokens with those of the cache, n paths, H width of
the LLM.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from engine.giving_up import Check, go_on
from engine.model.attention import GROUPED, attention_mask
from engine.model.kv_buffer import KvBuffer
from engine.model.prompt import AUDIO, VIDEO, Prompt

if TYPE_CHECKING:
    from engine.model.model import EmotionModel, TurnInputs

ROOT = -1
"""The slot before the first token."""
_NO_CUES = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Line:
    """Tokens that belong together: what opens a dialogue, or a turn, or the beginning of one."""

    ids: Sequence[int]
    """Of the prompt; negative where an embedding is filled in."""
    turn: TurnInputs | None = None
    """Fills them."""
    unseen: int | None = None
    """Id of tokens of this line that its last ones do not see: `AUDIO` or `VIDEO` ..."""
    last: int = 0
    """... and how many these are."""

    @cached_property
    def keys(self) -> list[Hashable]:
        """What tells the tokens apart: two are the same if the LLM is given the same."""
        if self.turn is None:
            return list(self.ids)
        filling = {VIDEO: (VIDEO, id(self.turn.video)), AUDIO: (AUDIO, id(self.turn.audio))}
        rows = {VIDEO: itertools.count(), AUDIO: itertools.count()}
        keys: list[Hashable] = [
            (*filling[one], next(rows[one])) if one in rows else one for one in self.ids
        ]
        if self.unseen is None:
            return keys
        return [*keys[: -self.last], *((one, "sees no", self.unseen) for one in keys[-self.last :])]


class PathCache:
    """What was read of one dialogue. Not thread-safe."""

    def __init__(self, model: EmotionModel) -> None:
        """Nothing is read yet."""
        self._model = model
        model.llm.set_attn_implementation(GROUPED)
        self._cache = KvBuffer(model.llm.config)
        self._slots: dict[tuple[int, Hashable], int] = {}  # by the slot before it, and its key
        self._depths: list[int] = []
        self._sees = np.zeros((0, 0), np.bool_)
        self._states: dict[int, Tensor] = {}  # (H,) at the ends of paths
        self._lines: list[Line] = []  # a key tells a tensor by its id: it must not be freed

    def __len__(self) -> int:
        """Tokens whose keys and values are kept."""
        return len(self._depths)

    def read(
        self,
        stem: Sequence[Line],
        branches: Sequence[Line],
        check: Check = go_on,
    ) -> Tensor:
        """Read what is not known yet of some paths; what is not on them is forgotten.

        Args:
            stem: What all begin with.
            branches: What each goes on with; none where the stem alone is to be read.
            check: Called at every layer of the LLM. Whatever it, or anything else, raises leaves
                what was known as it was.

        Returns:
            (n, H) last hidden states at the ends of the branches.
        """
        self._keep(self._known(stem, branches))
        self._lines = [*stem, *branches]
        first = len(self)
        try:
            with self._cache.checked(check):
                return self._read(stem, branches, first)
        except BaseException:
            self._keep(range(first))  # half of the layers may know more
            raise

    def _read(self, stem: Sequence[Line], branches: Sequence[Line], first: int) -> Tensor:
        parts = list[Tensor]()
        start = self._extend(stem, ROOT, parts)
        ends = [self._extend([branch], start, parts, first) for branch in branches]
        if parts:
            hidden = self._run(torch.cat(parts, 1), first)
            # Copies: a view would keep the states of all tokens.
            self._states |= {slot: hidden[slot - first].clone() for slot in ends if slot >= first}
        width = self._model.spec.llm.hidden_size
        return torch.stack([self._states[slot] for slot in ends]) if ends else torch.empty(0, width)

    def _known(self, stem: Sequence[Line], branches: Sequence[Line]) -> set[int]:
        """Slots of the tokens that some paths begin with."""
        found = self._follow(ROOT, _keys(stem))
        start = found[-1] if found else ROOT
        known = set(found)
        if len(found) == sum(len(line.ids) for line in stem):
            known.update(*(self._follow(start, branch.keys) for branch in branches))
        return known

    def _follow(self, slot: int, keys: Iterable[Hashable]) -> list[int]:
        """Slots of those tokens after a slot that are known."""
        found = []
        for key in keys:
            slot = self._slots.get((slot, key), ROOT)
            if slot == ROOT:
                break
            found.append(slot)
        return found

    def _extend(
        self, lines: Sequence[Line], slot: int, parts: list[Tensor], wanted_from: int | None = None
    ) -> int:
        """Give slots to what is not known of some lines after a slot.

        Args:
            lines: What follows.
            slot: After which.
            parts: Where the embeddings of the new tokens are added.
            wanted_from: First of the slots that will be read; then the state at the end is
                wanted, and where it was not kept the last token is read again.

        Returns:
            The last slot.
        """
        keys = _keys(lines)
        found = self._follow(slot, keys)
        if wanted_from is not None and len(found) == len(keys):
            if found[-1] < wanted_from and found[-1] not in self._states:
                found.pop()
        if len(found) < len(keys):
            parts.append(self._embed(lines, len(found)))
        path = [slot, *found]
        for key in keys[len(found) :]:
            path.append(self._add(key, path[-1]))
        if len(found) < len(keys) and lines[0].unseen is not None:
            self._hide(lines[0], path[1:], len(found))
        return path[-1]

    def _hide(self, line: Line, slots: Sequence[int], known: int) -> None:
        """Let the last tokens of a line not see some of it."""
        hidden = [slot for slot, one in zip(slots, line.ids, strict=True) if one == line.unseen]
        for slot in slots[max(known, len(slots) - line.last) :]:
            self._sees[slot, hidden] = False

    def _add(self, key: Hashable, before: int) -> int:
        """Give a slot to the token after another; returns it."""
        own = len(self)
        self._slots[before, key] = own
        self._depths.append(0 if before == ROOT else self._depths[before] + 1)
        if own == len(self._sees):
            self._sees = np.pad(self._sees, (0, own + 64))
        if before != ROOT:
            self._sees[own, :own] = self._sees[before, :own]
        self._sees[own, own] = True
        return own

    def _embed(self, lines: Sequence[Line], known: int) -> Tensor:
        """(1, Q, H) of some lines without the first tokens."""
        while known >= len(lines[0].ids):
            known -= len(lines[0].ids)
            lines = lines[1:]
        ids = np.array([one for line in lines for one in line.ids], np.int64)
        turns = [line.turn for line in lines if line.turn is not None]
        return self._model.embed([Prompt(ids, _NO_CUES)], [turns])[:, known:]

    def _run(self, embeddings: Tensor, first: int) -> Tensor:
        """Last hidden states (Q, H) of the tokens from a slot on."""
        count = len(self)
        visible = torch.from_numpy(self._sees[first:count, :count])
        positions = torch.tensor(self._depths[first:], device=self._model.device)
        read = self._model.llm.get_decoder()(
            inputs_embeds=embeddings,
            attention_mask=attention_mask(visible[None], embeddings),
            position_ids=positions[None],
            cache=self._cache,
            use_cache=True,
        )
        hidden: Tensor = read.last_hidden_state[0]
        return hidden

    def _keep(self, slots: Iterable[int]) -> None:
        """Forget all other tokens; what is before a kept one must be kept."""
        kept = sorted(set(slots))
        if len(kept) == len(self):
            return
        self._cache.keep(kept)
        places = {slot: place for place, slot in enumerate(kept)} | {ROOT: ROOT}
        self._slots = {
            (places[before], key): places[slot]
            for (before, key), slot in self._slots.items()
            if slot in places
        }
        self._states = {places[slot]: own for slot, own in self._states.items() if slot in places}
        self._depths = [self._depths[slot] for slot in kept]
        # Most are the history, in its place: only what follows it moves.
        moved = next((to for to, slot in enumerate(kept) if slot != to), len(kept))
        rows = self._sees[np.ix_(kept[moved:], kept)]
        self._sees[moved:] = False
        self._sees[moved : len(kept), : len(kept)] = rows


def _keys(lines: Iterable[Line]) -> list[Hashable]:
    return [key for line in lines for key in line.keys]
