"""Watching a broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiomqtt
import pytest

from engine.sinks import embedded_broker, watch, wording
from engine.sinks.connection import BrokerAddress
from stream.errors import UserError

TOPIC = "bemerc/v1/desk/src/talk.mp4/p/ross/utterance"


@contextlib.asynccontextmanager
async def watching(url: str, *args: Any, screens: Any, **options: Any) -> AsyncIterator[Any]:
    """Run `watch` until the end of the block; gives its output and its notices."""
    out, notices = screens(), screens()
    options |= {"out": out.console, "notices": notices.console}
    task = asyncio.create_task(watch(url, *args, **options))
    try:
        assert (await notices.lines.next()).startswith("watching ")
        yield out.lines, notices.lines
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def publisher(url: str) -> AsyncIterator[aiomqtt.Client]:
    """A client that publishes whatever the test says."""
    address = BrokerAddress.parse(url)
    async with aiomqtt.Client(address.host, address.port) as client:
        yield client


async def test_prints_events(broker: str, screen: Any, make_event: Any) -> None:
    """Each event is a line as on the console."""
    event = make_event()
    async with watching(broker, screens=screen) as (out, _), publisher(broker) as client:
        await client.publish(TOPIC, event.dumps(), qos=1)
        assert await out.next() == wording.line(event)


async def test_prints_json(broker: str, screen: Any, make_event: Any) -> None:
    """As JSON a document is one line, with what a newer producer added."""
    document = {**make_event().to_json(), "traceparent": "00-1"}
    async with (
        watching(broker, screens=screen, as_json=True) as (out, _),
        publisher(broker) as client,
    ):
        await client.publish(TOPIC, json.dumps(document, indent=2), qos=1)
        assert json.loads(await out.next()) == document


async def test_survives_malformed_messages(broker: str, screen: Any, make_event: Any) -> None:
    """What is no event is one line naming topic, count and reason; the next event is shown."""
    event = make_event()
    bad = {**event.to_json(), "specversion": "2\x1b[2J"}
    async with watching(broker, screens=screen) as (out, notices), publisher(broker) as client:
        await client.publish(TOPIC, b"\xff{", qos=1)
        await client.publish(TOPIC, json.dumps(bad), qos=1)
        await client.publish(TOPIC, b"[" * 1_000_001, qos=1)
        await client.publish(TOPIC, event.dumps(), qos=1)
        lines = [await notices.next() for _ in range(3)]
        assert await out.next() == wording.line(event)
    for count, line in enumerate(lines, start=1):
        assert line.startswith(f"skipped malformed message {count} on {TOPIC}: ")
        assert "\x1b" not in line
    assert "specversion: must be '1.0'" in lines[1]


async def test_filters(broker: str, screen: Any, make_event: Any) -> None:
    """Only what the filters let through is shown, other topics as they are."""
    filters = ["bemerc/v1/desk/src/+/p/ross/utterance", "bemerc/v1/+/status"]
    async with watching(broker, filters, screens=screen) as (out, _), publisher(broker) as client:
        other = make_event(participant="phoebe")
        await client.publish(TOPIC.replace("ross", "phoebe"), other.dumps(), qos=1)
        await client.publish("bemerc/v1/desk/status", "online\x1b", qos=1)
        await client.publish(TOPIC, make_event().dumps(), qos=1)
        assert await out.next() == r"bemerc/v1/desk/status  online\x1b"
        assert " ross " in await out.next()


async def test_comes_back(screen: Any, make_event: Any) -> None:
    """A broker that goes away is said to be lost, and found again when it is back."""
    gate = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await gate.wait()

    async with contextlib.AsyncExitStack() as stack:
        async with embedded_broker(0) as url:
            out, notices = await stack.enter_async_context(
                watching(url, screens=screen, sleep=sleep)
            )
        assert (await notices.next()).startswith(f"lost {url}, trying again")
        async with (
            embedded_broker(BrokerAddress.parse(url).port),
            publisher(url) as client,
        ):
            gate.set()
            assert await notices.next() == f"connected to {url} again"
            await client.publish(TOPIC, make_event().dumps(), qos=1)
            assert await out.next() == wording.line(make_event())
            await stack.aclose()


async def test_unreachable() -> None:
    """A broker that is not there is a UserError."""
    async with embedded_broker(0) as url:
        pass
    with pytest.raises(UserError, match="start the broker or correct the URL"):
        await watch(url)


async def test_forbidden_filter() -> None:
    """A filter that the broker refuses is explained."""
    plugins = {
        "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
        "amqtt.plugins.topic_checking.TopicTabooPlugin": {},
    }
    async with embedded_broker(0, plugins) as url:
        with pytest.raises(UserError, match="does not let us read prohibited; use another"):
            await watch(url, ["bemerc/#", "prohibited"])


async def test_bad_filter(broker: str) -> None:
    """A wrong filter is explained before anything is connected."""
    with pytest.raises(UserError, match=r"'a/#/b' is no MQTT topic filter; write for example"):
        await watch(broker, ["a/#/b"])
