"""The prosody teacher: published measures of a voice in words, for a copy without clips.

`engine.prosody.words` has the rules. It samples nothing and needs no prompt, pictures or
networks, so the same measures in the same order always get the same words.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from engine.prosody.words import RULES, VERSION, describe_voice
from training.describe.description import Description
from training.describe.teacher import Failure, Request

NOT_MEASURED = "no measured prosody"
"""Reason of the failure where there is nothing to put into words."""

Dialogue = tuple[str, str, str]
"""Corpus, split and id of a dialogue."""


class ProsodyTeacher:
    """Describes a voice relative to what the same speaker said before in the dialogue.

    Utterances of a dialogue must come in order and without others between.
    """

    name = "prosody"

    def __init__(self) -> None:
        """Start without any past."""
        self._dialogue: Dialogue | None = None
        self._past: dict[str, list[tuple[float, ...]]] = defaultdict(list)

    @property
    def prompt_version(self) -> str:
        """A digest of the rules: descriptions made by other rules are made again."""
        return f"rules-{hashlib.sha256(repr((VERSION, RULES)).encode()).hexdigest()[:8]}"

    @property
    def batch(self) -> int:
        """A moment's work: as many as one write to the disk is worth."""
        return 256

    def describe(self, requests: Sequence[Request]) -> list[Description | Failure]:
        """Describe some utterances in order.

        Args:
            requests: In the order of the corpus, with their prosody.

        Returns:
            One per request; a failure, which no further attempt changes, without measures.
        """
        return [self._describe(request) for request in requests]

    def _describe(self, request: Request) -> Description | Failure:
        key = request.key
        dialogue = (key.corpus, key.split, key.dialogue)
        if dialogue != self._dialogue:
            self._dialogue = dialogue
            self._past.clear()
        if request.prosody is None:
            return Failure(NOT_MEASURED, final=True)
        voice = describe_voice(request.prosody, self._past[request.speaker])
        self._past[request.speaker].append(request.prosody)
        return Description(voice=voice) if voice else Failure(NOT_MEASURED, final=True)
