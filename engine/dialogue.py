"""The conversation so far, as the model reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.model.model import TurnInputs
    from engine.model.speaker import Heard


@dataclass(frozen=True)
class Turn:
    """One finished utterance in the history of a dialogue."""

    speaker: str
    """Name that is stable within the dialogue."""
    text: str | None
    """What was said; None where the words are unknown."""
    inputs: TurnInputs | None = None
    """The turn as the recogniser encoded it; None leaves it with its words alone."""
    before: Mapping[str, Heard] = field(default_factory=dict)
    """Of the first turn that is kept: by speaker, how those before it sounded."""
