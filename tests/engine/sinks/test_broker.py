"""The embedded broker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

import aiomqtt
import pytest

from engine.sinks.broker import embedded_broker
from engine.sinks.connection import BrokerAddress
from stream.errors import UserError


async def test_delivers(broker: str) -> None:
    """Two clients exchange a message through it, without a password."""
    address = BrokerAddress.parse(broker)
    async with (
        aiomqtt.Client(address.host, address.port) as reader,
        aiomqtt.Client(address.host, address.port) as writer,
    ):
        await reader.subscribe("a/b", qos=1)
        await writer.publish("a/b", b"hello", qos=1)
        async with asyncio.timeout(60):
            message = await anext(aiter(reader.messages))
    assert message.payload == b"hello"


async def test_listens_on_loopback_only(broker: str) -> None:
    """Another address of this machine, which 0.0.0.0 would cover, is refused."""
    port = BrokerAddress.parse(broker).port
    assert broker == f"mqtt://127.0.0.1:{port}"
    with pytest.raises(OSError, match=r"127\.0\.0\.2"):
        await asyncio.open_connection("127.0.0.2", port)


async def test_sends_a_client_only_what_it_subscribed_to(broker: str) -> None:
    """What is retained under another client's filter stays with that client."""
    address = BrokerAddress.parse(broker)
    async with (
        aiomqtt.Client(address.host, address.port) as first,
        contextlib.AsyncExitStack() as stack,
    ):
        await first.publish("a/b", b"for the first", qos=1, retain=True)
        await first.subscribe("a/#", qos=1)
        second = await stack.enter_async_context(aiomqtt.Client(address.host, address.port))
        await second.subscribe("c", qos=1)
        await first.publish("c", b"for the second", qos=1)
        async with asyncio.timeout(60):
            message = await anext(aiter(second.messages))
    assert message.payload == b"for the second"


async def test_takes_another_port_where_the_usual_one_is_taken() -> None:
    """A broker that already runs on 1883 is left alone."""
    async with embedded_broker() as first, embedded_broker() as second:
        assert first != second
        for url in (first, second):
            _, writer = await asyncio.open_connection("127.0.0.1", BrokerAddress.parse(url).port)
            writer.close()
            await writer.wait_closed()


async def test_a_taken_port_is_explained() -> None:
    """A port asked for by number is not silently replaced."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(UserError, match="cannot start the embedded MQTT broker"):
            async with embedded_broker(port):
                pass


async def test_is_quiet_and_restores_logging(caplog: pytest.LogCaptureFixture) -> None:
    """It logs nothing of its own while it runs, and the level is back afterwards."""
    before = logging.getLogger("amqtt").level
    async with embedded_broker(0) as url:
        address = BrokerAddress.parse(url)
        async with aiomqtt.Client(address.host, address.port):
            pass
        _, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"this is no MQTT\n")
        writer.close()
        await writer.wait_closed()
    assert not [record for record in caplog.records if record.name.startswith("amqtt")]
    assert logging.getLogger("amqtt").level == before


async def test_both_loopbacks_reach_it() -> None:
    """Whichever of them a client finds behind `localhost`."""
    async with embedded_broker(0) as url:
        port = BrokerAddress.parse(url).port
        for host in ("127.0.0.1", "::1", "localhost"):
            async with aiomqtt.Client(host, port, timeout=20) as client:
                await client.publish("t", "m", qos=1)
