"""Publish events over MQTT, through broken connections.

One task holds the connection and announces the node. `publish` returns when the broker has
acknowledged the event, however many connections that takes; so a lost connection can deliver an
event twice, but under the same id. What waits meanwhile waits in the engine's outlet.
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
from engine.sinks.topics import Topics

logger = logging.getLogger(__name__)

GOODBYE_SECONDS = 1.0
"""How long leaving waits for the broker to take the goodbye, or to come back for it."""
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
        connect_seconds: How long each request to the broker may take.
        goodbye_seconds: See `GOODBYE_SECONDS`.
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
        connect_seconds: float = CONNECT_SECONDS,
        goodbye_seconds: float = GOODBYE_SECONDS,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.address = BrokerAddress.parse(url)
        self.topics = Topics(node, source)
        self._info = json.dumps(
            {"version": version, "labels": list(labels), "model": asdict(model)}
        )
        self._states: dict[str, str] = {}
        self._connect_seconds = connect_seconds
        self._goodbye_seconds = goodbye_seconds
        self._sleep = sleep
        self._client: aiomqtt.Client | None = None  # while connected and announced
        self._connected, self._broken = asyncio.Event(), asyncio.Event()
        self._leaving = asyncio.Event()
        # One id for all connections: a broker that has not yet noticed that the last one
        # broke then sends its `offline` before our `online`, not a minute after it.
        self._identifier = f"bemerc-{uuid.uuid4().hex[:12]}"

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
        """Publish an event, and the label as the state; waits for a broker that is away."""
        topics = Topics(self.topics.node, event.source)
        if event.partial:
            await self._publish_partial(topics, event)
            return
        await self._send(topics.utterance(event.participant), event.dumps())
        state = ABSTAINED if event.emotion.abstained else event.emotion.label
        self._states[topics.state(event.participant)] = state
        await self._send(topics.state(event.participant), state, retain=True)

    async def leave(self, departure: Departure) -> None:
        """Empty the state of a participant; waits for a broker that is away."""
        state = Topics(self.topics.node, departure.source).state(departure.participant)
        if state in self._states:
            await self._send(state, "", retain=True)
            del self._states[state]

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take back what is retained about people, say `offline`, and disconnect."""
        self._leaving.set()
        if self._client is not None or self._states:  # a broker may come back just in time
            await asyncio.wait({self._task}, timeout=self._goodbye_seconds)
        await self._stop()
        if self._states:
            logger.warning(
                "MQTT: %s was away at the end and may go on retaining a label at %s;"
                " publish an empty retained message there",
                self.address,
                ", ".join(self._states),
            )
        if not self._task.cancelled():
            self._task.result()  # a defect of the task must not end in silence

    async def _publish_partial(self, topics: Topics, event: EmotionEvent) -> None:
        """News is worth nothing later: it is not kept for a broker that is away."""
        if self._client is not None:
            with contextlib.suppress(aiomqtt.MqttError):
                await self._client.publish(topics.partial(event.participant), event.dumps(), qos=0)

    async def _send(self, topic: str, payload: str, *, retain: bool = False) -> None:
        """Publish until the broker has acknowledged it."""
        while True:
            client = await self._connection_or_defect()
            try:
                await while_connected(client, client.publish(topic, payload, qos=1, retain=retain))
                return
            except aiomqtt.MqttError as error:
                logger.debug("MQTT: not acknowledged (%s)", error)
                if client is self._client:  # a connection that acknowledges nothing is of no use
                    self._connected.clear()
                    self._broken.set()

    async def _connection_or_defect(self) -> aiomqtt.Client:
        """The connection, once there is one."""
        connected = asyncio.create_task(self._connected.wait())
        try:
            await asyncio.wait({connected, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            connected.cancel()
        if self._task.done():
            await self._task  # a defect: say so instead of waiting for ever
        if self._client is None:
            raise ConnectionError("the MQTT sink is closed")
        return self._client

    async def _stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        """Hold a connection until it is time to leave; the first one must succeed."""
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
        """Lend the connection until it is lost or of no use, or it is time to leave."""
        self._client = client
        self._broken.clear()
        self._connected.set()
        try:
            await while_connected(client, _first(self._leaving, self._broken))
        finally:
            self._connected.clear()
            self._client = None
        if not self._leaving.is_set():
            raise aiomqtt.MqttError("it acknowledges nothing")
        await while_connected(client, self._leave(client))

    async def _leave(self, client: aiomqtt.Client) -> None:
        """Retain nothing about people, only that we are gone; all sent before any answer."""
        messages = [(topic, "") for topic in self._states]
        messages += [(self.topics.source_status, "offline"), (self.topics.status, "offline")]
        await asyncio.gather(*(_retain(client, *message) for message in messages))
        self._states.clear()


async def _first(*events: asyncio.Event) -> None:
    """Wait for one of several events."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _retain(client: aiomqtt.Client, topic: str, payload: str) -> None:
    await client.publish(topic, payload, qos=1, retain=True)
