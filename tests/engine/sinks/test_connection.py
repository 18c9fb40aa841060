"""Broker addresses and first connections."""

from __future__ import annotations

import asyncio
import gc
import itertools
import socket
from typing import Any

import aiomqtt
import pytest

from engine.sinks.connection import (
    BrokerAddress,
    connect,
    delays,
    explain,
    while_connected,
)
from stream.errors import UserError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://localhost", BrokerAddress("localhost", 1883)),
        ("mqtts://broker.example/", BrokerAddress("broker.example", 8883, tls=True)),
        ("MQTT://10.0.0.7:1884", BrokerAddress("10.0.0.7", 1884)),
        ("mqtt://[::1]:1884", BrokerAddress("::1", 1884)),
        ("mqtt://ann:p%40s%2Fs@host", BrokerAddress("host", 1883, False, "ann", "p@s/s")),
        ("mqtt://ann@host", BrokerAddress("host", 1883, username="ann")),
    ],
)
def test_parse(url: str, expected: BrokerAddress) -> None:
    """User, password, host and port are read, the ports by default those of MQTT."""
    assert BrokerAddress.parse(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:1883",
        "http://localhost",
        "mqtt://",
        "mqtt://ann:sesame@",
        "mqtt://ann:sesame@host:port",
        "mqtt://ann:sesame@host:99999",
        "mqtt://ann:sesame@host:0",
        "mqtt://ann:sesa/me@host",
        "mqtt://ann:sesame#1@host",
        "mqtt://:sesame@host",
        "mqtt://ann:sesame@[::1",
        "mqtt://ann:sesame@" + "x" * 80,
    ],
)
def test_bad_urls_are_explained_without_the_password(url: str) -> None:
    """A wrong URL is one line that shows how to write it, and never repeats a password."""
    with pytest.raises(UserError, match="write mqtt://") as caught:
        BrokerAddress.parse(url)
    assert "sesa" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_password_is_not_shown() -> None:
    """Neither text nor repr of an address holds the password."""
    address = BrokerAddress.parse("mqtts://ann:sesame@[::1]:1")
    assert str(address) == "mqtts://ann@[::1]:1"
    assert "sesame" not in repr(address)


async def test_a_loss_that_nobody_waits_for_is_silent(
    line: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It happens between two things that are done, and the next one is told of it."""
    async with connect(BrokerAddress.parse(line.url)) as client:
        line.cut()
        async with asyncio.timeout(10.0):
            while not client._disconnected.done():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.005)
    del client
    gc.collect()
    assert caplog.messages == []


async def first_error(url: str, seconds: float = 10.0) -> UserError:
    """What the user reads when the first connection to `url` fails."""
    address = BrokerAddress.parse(url)
    with pytest.raises(aiomqtt.MqttError) as caught:
        async with connect(address, seconds=seconds):
            pass
    return explain(address, caught.value)


async def test_nobody_listens() -> None:
    """A closed port is said to be unreachable, with what to do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        error = await first_error(f"mqtt://ann:sesame@127.0.0.1:{port}")
    assert str(error) == (
        f"cannot connect to the MQTT broker mqtt://ann@127.0.0.1:{port}"
        " (Connection refused); start the broker or correct the URL"
    )


async def test_a_server_that_never_answers() -> None:
    """A server of another kind is given up after the time allowed, and disconnected."""
    gone = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        error = await first_error(f"mqtt://127.0.0.1:{port}", seconds=0.5)
        await asyncio.wait_for(gone.wait(), 20)  # not left to the keep-alive of 60 seconds
    assert "start the broker or correct the URL" in str(error)


# paho does not close the socket of a failed TLS handshake.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
async def test_tls_is_not_optional(broker: str) -> None:
    """With `mqtts://` nothing is sent to a broker that does not speak TLS."""
    error = await first_error(broker.replace("mqtt://", "mqtts://"), seconds=1)
    assert str(error).startswith("cannot connect to the MQTT broker mqtts://127.0.0.1")


async def test_lost_connections_end_the_work(line: Any) -> None:
    """Work that waits for the broker ends when the line is cut, not at its timeout."""
    async with connect(BrokerAddress.parse(line.url)) as client:
        working = asyncio.create_task(while_connected(client, asyncio.Event().wait()))
        await asyncio.sleep(0)
        line.cut()
        with pytest.raises(aiomqtt.MqttError):
            await asyncio.wait_for(working, 60)


async def test_work_gives_its_result(broker: str) -> None:
    """Work on a sound connection gives its result."""
    async with connect(BrokerAddress.parse(broker)) as client:
        assert await while_connected(client, asyncio.sleep(0, "done")) == "done"


def test_delays_double_up_to_a_limit() -> None:
    """The wait before each attempt doubles and stays bounded."""
    assert list(itertools.islice(delays(1, 5), 5)) == [1, 2, 4, 5, 5]
