"""That somebody has left."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Departure:
    """No event of this participant follows, unless they come back."""

    source: str
    """Name of the source, as in their events."""
    participant: str
    """As in their events."""
