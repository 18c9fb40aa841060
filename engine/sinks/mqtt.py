"""Publish events over MQTT, through broken connections.

`publish` only puts the event into a bounded outbox; one task holds the connection,
announces the node, and delivers. An event leaves the outbox when the broker has
acknowledged it, so a lost connection can deliver it twice but under the same id.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Self

import aiomqtt

from engine.events import EmotionEvent, ModelInfo
from engine.sinks.connection import (
    CONNECT_SECONDS,
    BrokerAddress,
    connect,
    delays,
    explain,
    while_connected,
)
from engine.sinks.departure import Departure
from engine.sinks.outbox import Outbox
from engine.sinks.topics import Topics

logger = logging.getLogger(__name__)

OUTBOX_LIMIT = 1_000
DRAIN_SECONDS = 5.0
HASTE_SECONDS = 1.0
ABSTAINED = "unknown"
"""The state of a participant after an abstention: nothing to go by, or too little."""


class MqttSink:
    """Events, latest labels and status on a broker.

    Args:
        url: `mqtt://` or `mqtts://`, see `BrokerAddress`.
        node: Name of this machine or installation.
        source: Name of the camera, file or stream.
        model: Goes into the retained `info`.
        version: Of the program; goes into `info`.
        labels: Of the model; goes into `info`.
        outbox_limit: Events kept at most while the broker is away.
        connect_seconds: How long each request to the broker may take.
        drain_seconds: How long leaving waits for undelivered events.
        sleep: Waits before another attempt to connect.
    """

    name = "mqtt"
    takes_partials = True

    def __init__(
        self,
        url: str,
        *,
        node: str,
        source: str,
        model: ModelInfo,
        version: str,
        labels: Sequence[str],
        outbox_limit: int = OUTBOX_LIMIT,
        connect_seconds: float = CONNECT_SECONDS,
        drain_seconds: float = DRAIN_SECONDS,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.address = BrokerAddress.parse(url)
        self.topics = Topics(node, source)
        self._info = json.dumps(
            {"version": version, "labels": list(labels), "model": asdict(model)}
        )
        self._outbox: Outbox[EmotionEvent | Departure] = Outbox(outbox_limit)
        self._states: dict[str, str] = {}
        self._connect_seconds = connect_seconds
        self._drain_seconds = drain_seconds
        self._sleep = sleep
        # One id for all connections: a broker that has not yet noticed that the last one
        # broke then sends its `offline` before our `online`, not a minute after it.
        self._identifier = f"bemerc-{uuid.uuid4().hex[:12]}"

    @property
    def dropped(self) -> int:
        """Events given up because the broker was away for too long."""
        return self._outbox.dropped

    @property
    def waiting(self) -> int:
        """Events not yet acknowledged by the broker."""
        return sum(isinstance(item, EmotionEvent) for item in self._outbox)

    async def __aenter__(self) -> Self:
        """Connect and announce the node.

        Raises:
            UserError: If the broker cannot be reached or refuses us.
        """
        self._online: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="mqtt sink")
        try:
            await asyncio.wait({self._online, self._task}, return_when=asyncio.FIRST_COMPLETED)
            if self._task.done():
                await self._task
        except aiomqtt.MqttError as error:
            raise explain(self.address, error) from None
        except asyncio.CancelledError:
            await self._stop()
            raise
        return self

    async def publish(self, event: EmotionEvent) -> None:
        """Hand the event over for delivery; never waits for the broker."""
        await self._put(event)

    async def leave(self, departure: Departure) -> None:
        """Have the state of a participant emptied, after their last event."""
        await self._put(departure)

    async def _put(self, item: EmotionEvent | Departure) -> None:
        if self._task.done():
            await self._task  # a defect: say so instead of filling the outbox
        none_dropped = not self.dropped
        self._outbox.put(item)
        if none_dropped and self.dropped:
            logger.warning("MQTT: the broker is away for too long, the oldest events are dropped")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Deliver what waits, say `offline`, and disconnect."""
        self._outbox.close()
        try:
            await asyncio.wait({self._task}, timeout=self._drain_seconds)
        finally:
            await self._stop()
        lost = self.waiting + self.dropped
        if lost:
            logger.warning("MQTT: %d events were not delivered to %s", lost, self.address)
        if not self._task.cancelled():
            self._task.result()  # a defect of the task must not end in silence

    async def _stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        """Hold a connection until all is delivered after `close`; the first one must succeed."""
        waits = delays()
        away = False
        while True:
            try:
                async with self._connection() as client:
                    await while_connected(client, self._announce(client))
                    if away:
                        logger.warning("MQTT: connected to %s again", self.address)
                    elif not self._online.done():
                        self._online.set_result(None)
                    waits, away = delays(), False
                    await self._serve(client)
                    return
            except aiomqtt.MqttError as error:
                if not self._online.done():
                    raise
                if not away:
                    logger.warning("MQTT: lost %s, trying again (%s)", self.address, error)
                away = True
            await self._sleep(next(waits))

    def _connection(self) -> contextlib.AbstractAsyncContextManager[aiomqtt.Client]:
        return connect(
            self.address,
            will=aiomqtt.Will(self.topics.status, "offline", qos=1, retain=True),
            identifier=self._identifier,
            seconds=self._connect_seconds,
        )

    async def _announce(self, client: aiomqtt.Client) -> None:
        """Retain who we are; the states too, as a restarted broker has forgotten them."""
        await _retain(client, self.topics.info, self._info)
        await _retain(client, self.topics.status, "online")
        await _retain(client, self.topics.source_status, "online")
        for topic, state in self._states.items():
            await _retain(client, topic, state)

    async def _serve(self, client: aiomqtt.Client) -> None:
        try:
            await while_connected(client, self._deliver(client))
            await while_connected(client, self._leave(client))
        except asyncio.CancelledError:
            # Told to stop before all was acknowledged. Disconnecting suppresses the last
            # will, so it must still be said in its place, even if nobody answers.
            with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
                async with asyncio.timeout(HASTE_SECONDS):
                    await self._leave(client)
            raise

    async def _deliver(self, client: aiomqtt.Client) -> None:
        while (item := await self._outbox.head()) is not None:
            topics = Topics(self.topics.node, item.source)
            state = topics.state(item.participant)
            if isinstance(item, Departure):
                if state in self._states:
                    await _retain(client, state, "")
                    del self._states[state]
                self._outbox.delivered(item)
            elif item.partial:  # worth nothing later: not kept for who is away
                await client.publish(topics.partial(item.participant), item.dumps(), qos=0)
                self._outbox.delivered(item)
            else:
                await client.publish(topics.utterance(item.participant), item.dumps(), qos=1)
                self._outbox.delivered(item)
                self._states[state] = ABSTAINED if item.emotion.abstained else item.emotion.label
                await _retain(client, state, self._states[state])

    async def _leave(self, client: aiomqtt.Client) -> None:
        """Retain nothing about people, only that we are gone; all sent before any answer."""
        messages = [(topic, "") for topic in self._states]
        messages += [(self.topics.source_status, "offline"), (self.topics.status, "offline")]
        await asyncio.gather(*(_retain(client, *message) for message in messages))


async def _retain(client: aiomqtt.Client, topic: str, payload: str) -> None:
    await client.publish(topic, payload, qos=1, retain=True)
