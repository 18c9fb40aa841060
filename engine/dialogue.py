"""The conversation so far, as the model reads it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Turn:
    """One finished utterance in the history of a dialogue."""

    speaker: str
    """Name as it appears in the prompt."""
    text: str | None
    """What was said; None where the words are unknown."""
