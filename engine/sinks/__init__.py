"""Where events go: console, JSON lines, MQTT."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from engine.events import EmotionEvent
from engine.sinks.broker import embedded_broker
from engine.sinks.console import ConsoleSink
from engine.sinks.departure import Departure
from engine.sinks.gone import SinkGoneError
from engine.sinks.jsonl import JsonlSink
from engine.sinks.mqtt import MqttSink
from engine.sinks.watch import watch

__all__ = [
    "ConsoleSink",
    "Departure",
    "JsonlSink",
    "MqttSink",
    "Sink",
    "SinkGoneError",
    "embedded_broker",
    "watch",
]


class Sink(Protocol):
    """Takes events from the engine while it is entered."""

    name: str
    """Says which sink it is in messages."""

    @property
    def takes_partials(self) -> bool:
        """Whether it is given news of utterances that go on, not only those that have ended."""

    async def __aenter__(self) -> Self:
        """Open it; a UserError says why that is impossible."""
        ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        ...

    async def publish(self, event: EmotionEvent) -> None:
        """Take one event; an exception means that it was not taken and may be given again.

        Returns when the event is where others can read it: nothing else counts what is lost.

        Raises:
            SinkGoneError: Nobody will ever read it, so nothing is to be given any more.
        """
        ...

    async def leave(self, departure: Departure) -> None:
        """Forget what is kept of somebody who is gone; an exception as for `publish`."""
        ...
