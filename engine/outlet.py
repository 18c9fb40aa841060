"""One sink and what waits for it, so that one that fails delays no other."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from engine.events import EmotionEvent
from engine.sinks import Departure, Sink
from engine.sinks.connection import delays
from engine.sinks.outbox import Outbox
from engine.vitals import Vitals

logger = logging.getLogger(__name__)

OUTBOX_ITEMS = 1_000
"""What waits for one sink, at most."""


class Outlet:
    """Delivers to one sink, in order, each thing until it is taken.

    Args:
        sink: Open.
        sleep: Waits before it is tried again.
        vitals: Counts failures.
    """

    def __init__(
        self, sink: Sink, sleep: Callable[[float], Awaitable[object]], vitals: Vitals
    ) -> None:
        self.sink = sink
        self.outbox: Outbox[EmotionEvent | Departure] = Outbox(OUTBOX_ITEMS)
        self._sleep, self._vitals = sleep, vitals

    @property
    def undelivered(self) -> int:
        """Events that are lost to this sink when the run is over."""
        waiting = sum(isinstance(item, EmotionEvent) for item in self.outbox)
        return waiting + self.outbox.dropped

    async def deliver(self) -> None:
        """Hand over in order until closed and empty."""
        while (item := await self.outbox.head()) is not None:
            await self._hand_over(item)
            self.outbox.delivered(item)

    async def _hand_over(self, item: EmotionEvent | Departure) -> None:
        for seconds in delays():
            try:
                if isinstance(item, Departure):
                    await self.sink.leave(item)
                else:
                    await self.sink.publish(item)
                return
            except Exception as error:
                self._vitals.failure("sink")
                logger.warning("%s: %s; trying again in %.1f s", self.sink.name, error, seconds)
                await self._sleep(seconds)
