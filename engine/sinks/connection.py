"""One way to reach an MQTT broker, for the sink and for `watch`.

MQTT 3.1.1, which every broker speaks. A password is never part of a message or a repr.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from stream.errors import UserError

T = TypeVar("T")

PORTS = {"mqtt": 1883, "mqtts": 8883}
FORM = "mqtt://[user:password@]host[:port] or mqtts://..., special characters percent-encoded"
CONNECT_SECONDS = 10.0
_REFUSED = {134, 135}
"""Reason codes: bad user name or password, not authorised."""
_ERRNO = re.compile(r"\[Errno -?\d+\] ")

# paho logs each lost connection as an error; the callers here say it in their own words.
_quiet = logging.getLogger(f"{__name__}.paho")
_quiet.setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class BrokerAddress:
    """Where a broker is and who we are to it."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> BrokerAddress:
        """Read an `mqtt://` or `mqtts://` URL.

        Raises:
            UserError: If it is none; the message does not repeat it, as it may hold a password.
        """
        parts = _split(url)
        if parts.scheme not in PORTS:
            raise UserError(f"the MQTT URL must start with mqtt:// or mqtts://; write {FORM}")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise UserError(f"the MQTT URL has something after the port; write {FORM}")
        try:
            (parts.hostname or "").encode("idna")
            port = PORTS[parts.scheme] if parts.port is None else parts.port
        except ValueError:
            raise UserError(f"the MQTT URL has no valid host and port; write {FORM}") from None
        if not parts.hostname or not port:
            raise UserError(f"the MQTT URL has no valid host and port; write {FORM}")
        username = unquote(parts.username) if parts.username else None
        if parts.password and not username:
            raise UserError(f"the MQTT URL has a password but no user; write {FORM}")
        password = unquote(parts.password) if parts.password else None
        return cls(parts.hostname, port, parts.scheme == "mqtts", username, password)

    def __str__(self) -> str:
        user = f"{self.username}@" if self.username else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{user}{host}:{self.port}"


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url.strip())
    except ValueError:
        raise UserError(f"the MQTT URL cannot be read; write {FORM}") from None


@contextlib.asynccontextmanager
async def connect(
    address: BrokerAddress,
    *,
    will: aiomqtt.Will | None = None,
    identifier: str | None = None,
    seconds: float = CONNECT_SECONDS,
    queue_limit: int = 0,
) -> AsyncIterator[aiomqtt.Client]:
    """Hold a connection, and end it politely (so that the last will is not sent).

    Args:
        address: The broker.
        will: What the broker publishes when the connection breaks.
        identifier: Client id; a broker ends the older connection of the same id.
        seconds: How long each request to the broker may take.
        queue_limit: Incoming messages kept at most while they are not read; 0 is no limit.

    Raises:
        aiomqtt.MqttError: If there is no connection within `seconds`, or it is refused.
    """
    client = aiomqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=address.password,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V311,
        will=will,
        timeout=seconds,
        tls_context=ssl.create_default_context() if address.tls else None,
        max_queued_incoming_messages=queue_limit,
        logger=_quiet,
    )
    try:
        async with asyncio.timeout(seconds):
            await client.__aenter__()
    except BaseException as error:
        # aiomqtt leaves the socket of a failed handshake open, and its own callback
        # stumbles over a cancelled one.
        client._client.on_disconnect = None
        client._client.disconnect()
        if isinstance(error, TimeoutError):
            raise aiomqtt.MqttError("no answer") from None
        raise
    try:
        yield client
    finally:
        with contextlib.suppress(aiomqtt.MqttError):
            await client.__aexit__(None, None, None)
        lost = client._disconnected
        if lost.done() and not lost.cancelled():
            lost.exception()  # asyncio complains, on the terminal, of one that nobody looked at


async def while_connected(client: aiomqtt.Client, work: Coroutine[Any, Any, T]) -> T:
    """Do `work`, ending it with an error as soon as the connection is lost.

    aiomqtt notices a loss at once but a call under way only at its timeout.

    Raises:
        aiomqtt.MqttError: If the connection is lost.
    """
    working = asyncio.create_task(work)
    losing = asyncio.create_task(_until_lost(client))
    try:
        await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            losing.result()
        return await working
    finally:
        working.cancel()
        losing.cancel()
        await asyncio.gather(working, losing, return_exceptions=True)


async def _until_lost(client: aiomqtt.Client) -> None:
    async for _ in client.messages:  # raises when the connection is lost
        pass


def delays(first: float = 0.5, limit: float = 30.0) -> Iterator[float]:
    """Seconds to wait before each further attempt: doubling up to `limit`."""
    delay = first
    while True:
        yield delay
        delay = min(2 * delay, limit)


def explain(address: BrokerAddress, error: aiomqtt.MqttError) -> UserError:
    """What a failed first connection means to the user, and what to do about it."""
    code = getattr(error, "rc", None)
    if isinstance(code, ReasonCode) and code.value in _REFUSED:
        if address.username is None:
            return UserError(f"the MQTT broker {address} wants a user and password; write {FORM}")
        return UserError(
            f"the MQTT broker {address} refused this user and password;"
            f" correct them in the URL: {FORM}"
        )
    reason = _ERRNO.sub("", " ".join(str(error).split())) or "no answer"
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return UserError(
            f"the certificate of the MQTT broker {address} is not trusted ({reason}); use the"
            " host name that it is for, or name its authority in SSL_CERT_FILE"
        )
    return UserError(
        f"cannot connect to the MQTT broker {address} ({reason});"
        " start the broker or correct the URL"
    )
