"""What goes around the engine in its tests: an ear, a sink, and how events are built."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from engine.events import EmotionEvent, ModelInfo, build_event
from engine.sinks import Departure
from engine.worker import Recognized
from stream.media import Samples


def loud(samples: Samples) -> float:
    """Probability of speech: whether it is loud."""
    return float(np.abs(samples).max() > 0.1)


@dataclass
class Memory:
    """A sink in memory whose first `failures` attempts fail."""

    name: str = "memory"
    takes_partials: bool = False
    failures: int = 0
    events: list[EmotionEvent] = field(default_factory=list)
    departures: list[Departure] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        """There is nothing to open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to close."""

    async def publish(self, event: EmotionEvent) -> None:
        """Keep the event, or fail."""
        if self.failures:
            self.failures -= 1
            raise OSError("disk full")
        self.events.append(event)

    async def leave(self, departure: Departure) -> None:
        """Keep that, too."""
        self.departures.append(departure)


def build(recognized: Recognized) -> EmotionEvent:
    """An event, final or not."""
    return build_event(
        recognized.utterance,
        recognized.recognition,
        session="s",
        dialogue="d",
        turn=recognized.turn,
        node="node",
        source="test",
        model=ModelInfo("rule", "0" * 64),
        include_text=False,
        latency_ms=recognized.latency_ms,
        partial_id=None if recognized.final else "news",
    )
