"""An MQTT broker inside the program, reachable from this machine only.

It takes anyone without a password, which is why it listens on the loopback interface
and nowhere else; for other machines, run a real broker and give its address instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Mapping

from amqtt.broker import Broker
from amqtt.errors import BrokerError
from amqtt.session import Session

from stream.errors import UserError

HOST = "127.0.0.1"
OTHER_HOST = "::1"
"""A client that asks for `localhost` may try this one first, and no other."""
PORT = 1883
SHUTDOWN_SECONDS = 5.0
Plugins = Mapping[str, Mapping[str, object]]
PLUGINS: Plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
"""Without amqtt's defaults: its loggers, and the `$SYS` topics."""


@contextlib.asynccontextmanager
async def embedded_broker(
    port: int | None = None, plugins: Plugins = PLUGINS
) -> AsyncIterator[str]:
    """Run a broker and give its URL, `mqtt://127.0.0.1:PORT`.

    Args:
        port: None for 1883 or, where that is taken, any free one; 0 for any free one.
        plugins: amqtt plugins with their options; by default anyone may connect.

    Raises:
        UserError: If the port cannot be had.
    """
    quiet = logging.getLogger("amqtt")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL + 1)  # it logs each client that comes, goes or fails
    try:
        broker = await _start(port, plugins)
        try:
            yield f"mqtt://{HOST}:{_port(broker)}"
        finally:
            await broker.end()
    finally:
        quiet.setLevel(level)


class _Broker(Broker):
    """amqtt's broker without three of its weaknesses (as of 0.12.1).

    A new client is sent what is retained for others, and loses its connection when one of
    them leaves meanwhile; the connection of a client that never says CONNECT stays open;
    shutting down may never end.
    """

    other: asyncio.Server | None = None
    """What listens on the other loopback."""

    async def start(self) -> None:
        self._clients: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        await super().start()

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        subscribed = self._subscriptions.get(subscription[0], ())
        if any(subscriber is session for subscriber, _ in subscribed):
            await super()._publish_retained_messages_for_subscription(subscription, session)

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        serving = asyncio.create_task(super().stream_connected(reader, writer, listener_name))
        self._clients[writer] = serving
        try:
            await serving
        finally:
            del self._clients[writer]
            writer.close()

    async def end(self) -> None:
        """Shut down within bounded time."""
        if self.other is not None:
            self.other.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_SECONDS):
                await self.shutdown()
        left = dict(self._clients)
        for writer in left:
            writer.transport.abort()
        if left:
            await asyncio.wait(left.values(), timeout=SHUTDOWN_SECONDS)


async def _start(port: int | None, plugins: Plugins) -> _Broker:
    reason = ""
    for candidate in (PORT, 0) if port is None else (port,):
        listener = {"type": "tcp", "bind": f"{HOST}:{candidate}"}
        broker = _Broker({"listeners": {"default": listener}, "plugins": dict(plugins)})
        try:
            await broker.start()
        except BrokerError as error:
            reason = str(error.__cause__ or error)
        else:
            await _listen_on_the_other(broker)
            return broker
    raise UserError(
        f"cannot start the embedded MQTT broker ({reason}); free the port,"
        " or give the address of another broker"
    )


async def _listen_on_the_other(broker: _Broker) -> None:
    """Listen on the same port of the other loopback; a machine may have none, or use it."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await broker.stream_connected(reader, writer, "default")

    with contextlib.suppress(OSError):
        broker.other = await asyncio.start_server(
            connected, OTHER_HOST, _port(broker), family=socket.AF_INET6
        )


def _port(broker: Broker) -> int:
    """The port it really listens on, which amqtt does not tell."""
    (listening,) = broker._servers["default"].instance.sockets
    port: int = listening.getsockname()[1]
    return port
