"""One sink and what waits for it, so that one that fails delays no other."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from engine.events import EmotionEvent
from engine.sinks import Departure, Sink, SinkGoneError
from engine.sinks.connection import delays
from engine.sinks.outbox import Outbox
from engine.vitals import Vitals

logger = logging.getLogger(__name__)

OUTBOX_ITEMS = 1_000
"""What waits for one sink, at most."""

Item = EmotionEvent | Departure


class Outlet:
    """Delivers to one sink, in order, each thing until it is taken.

    This is the only queue between the engine and a sink, so what it counts is all that is lost.

    Args:
        sink: Open.
        sleep: Waits before it is tried again.
        vitals: Counts failures, and events that are lost.
        limit: See `OUTBOX_ITEMS`.
    """

    def __init__(
        self,
        sink: Sink,
        sleep: Callable[[float], Awaitable[object]],
        vitals: Vitals,
        limit: int = OUTBOX_ITEMS,
    ) -> None:
        self.sink = sink
        self.gone = False
        """Whether the sink can take nothing any more, because nobody reads it."""
        self._outbox: Outbox[Item] = Outbox(limit, worth=_worth)
        self._lost = 0
        self._sleep, self._vitals = sleep, vitals

    def __len__(self) -> int:
        """How much waits."""
        return len(self._outbox)

    @property
    def undelivered(self) -> int:
        """Events that are lost to this sink when the run is over; none where nobody reads it."""
        return self._lost + sum(_worth(item) == _FINAL for item in self._outbox)

    def put(self, item: Item) -> None:
        """Let something wait; what is worth least is lost where that is too much."""
        if self.gone:
            return
        forgotten = self._outbox.put(item)
        if forgotten is not None and _worth(forgotten) == _FINAL:
            if not self._lost:
                logger.warning("%s: too much waits, the oldest events are lost", self.sink.name)
            self._lost += 1
            self._vitals.drop("events")

    def close(self) -> None:
        """Nothing more comes: `deliver` ends when all is delivered."""
        self._outbox.close()

    async def deliver(self) -> None:
        """Hand over in order until closed and empty."""
        while (item := await self._outbox.head()) is not None:
            if not self.gone:
                await self._hand_over(item)
            self._outbox.delivered(item)

    async def _hand_over(self, item: Item) -> None:
        for seconds in delays():
            try:
                if isinstance(item, Departure):
                    await self.sink.leave(item)
                else:
                    await self.sink.publish(item)
                return
            except SinkGoneError as error:
                logger.warning("%s: %s; the run goes on without it", self.sink.name, error)
                self.gone = True
                return
            except (Exception, SystemExit) as error:  # no library may end the program from here
                self._vitals.failure("sink")
                reason = str(error) or repr(error)
                logger.warning("%s: %s; trying again in %.1f s", self.sink.name, reason, seconds)
                await self._sleep(seconds)


_FINAL = 1


def _worth(item: Item) -> int:
    """What is kept longest: that somebody left, else their label would stay; then ended utterances.

    News of an utterance is worth nothing when it comes late.
    """
    if isinstance(item, Departure):
        return 2
    return 0 if item.partial else _FINAL
