"""Keep what was said on this machine."""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType
from typing import Self

from engine.events import EmotionEvent
from engine.sinks import Departure, Sink


class WithoutText:
    """A sink that is given the events without the words.

    Args:
        sink: Takes them.
    """

    def __init__(self, sink: Sink) -> None:
        self.name = sink.name
        self.takes_partials = sink.takes_partials
        self._sink = sink

    async def __aenter__(self) -> Self:
        """Open the sink."""
        await self._sink.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the sink."""
        await self._sink.__aexit__(kind, error, traceback)

    async def publish(self, event: EmotionEvent) -> None:
        """Pass the event on, as if the words were unknown."""
        await self._sink.publish(replace(event, text=None))

    async def leave(self, departure: Departure) -> None:
        """Pass it on."""
        await self._sink.leave(departure)
