"""The measured teacher: landmarks of face and body in words, on a CPU.

`docs/behaviour.md` has the rules. It samples nothing and needs no prompt, so the same
pictures in the same order always get the same words. No times are told: stage 1 reads nothing
from which they could be known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from engine.behaviour import BehaviourReader, Observer
from engine.behaviour.measures import MEASURES
from engine.behaviour.rules import RULES, VERSION
from export.models import resolve
from training.describe.description import PARTS, Description
from training.describe.teacher import Failure, Request

NO_FACE = "no face is seen"
"""Reason of the failure where there is nothing to measure."""

Dialogue = tuple[str, str, str]
"""Corpus, split and id of a dialogue."""


class MeasuredTeacher:
    """Describes what is measured, relative to what is usual for a speaker in a dialogue.

    Each baseline is of the utterances before in the same dialogue, as far as they were
    asked about: utterances of a dialogue must come in order and without others between.
    """

    name = "measured"

    def __init__(self, reader: BehaviourReader) -> None:
        """Start without any baseline.

        Args:
            reader: Looks at the pictures.
        """
        self._reader = reader
        self._dialogue: Dialogue | None = None
        self._observer = Observer(reader)

    @classmethod
    def load(cls) -> MeasuredTeacher:
        """With the networks of `export.registry`.

        Raises:
            UserError: The networks cannot be had.
        """
        return cls(
            BehaviourReader(resolve("face-landmarks"), resolve("pose"), resolve("blazeface"))
        )

    @property
    def prompt_version(self) -> str:
        """A digest of the rules: descriptions made by other rules are made again."""
        rules = repr((VERSION, sorted(MEASURES.items()), RULES))
        return f"rules-{hashlib.sha256(rules.encode()).hexdigest()[:8]}"

    @property
    def batch(self) -> int:
        """A second or so of work: what an interrupt waits for."""
        return 4

    def describe(self, requests: Sequence[Request]) -> list[Description | Failure]:
        """Describe some utterances in order.

        Args:
            requests: In the order of the corpus.

        Returns:
            One per request; a failure, which no further attempt changes, without a face.
        """
        return [self._describe(request) for request in requests]

    def _describe(self, request: Request) -> Description | Failure:
        key = request.key
        dialogue = (key.corpus, key.split, key.dialogue)
        if dialogue != self._dialogue:
            self._dialogue = dialogue
            self._observer = Observer(self._reader)
        seen = self._observer(request.speaker, request.frames)
        description = Description(*(seen.untimed.get(part, "") for part in PARTS))
        return description if description.text() else Failure(NO_FACE, final=True)
