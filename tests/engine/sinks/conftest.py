"""A real broker, a separate client, and a line that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aiomqtt
import pytest
from rich.console import Console

from engine.events import Emotion, EmotionEvent, Modalities, ModelInfo, Window
from engine.sinks import embedded_broker
from engine.sinks.connection import BrokerAddress

MODEL = ModelInfo("compact", "0" * 64)
WAIT_SECONDS = 60.0
"""Only a test that fails waits this long."""


@pytest.fixture
def model() -> ModelInfo:
    """The model that the events name."""
    return MODEL


@pytest.fixture
def make_event() -> Callable[..., EmotionEvent]:
    """Build a valid event, with fields replaced by keyword."""
    event = EmotionEvent(
        id="0198c1f2-0000-7000-8000-000000000000",
        node="desk",
        source="talk.mp4",
        time=datetime(2026, 1, 31, 12, tzinfo=UTC),
        session="s1",
        dialogue="d1",
        utterance="0198c1f2-0000-7000-8000-000000000000",
        turn=0,
        participant="ross",
        window=Window(3.2, 5.94, frames=64, frames_dropped=0, audio_ms=2740),
        emotion=Emotion("joy", {"joy": 0.75, "anger": 0.25}, 0.75, abstained=False),
        modalities=Modalities(("text", "audio"), {"audio": 1.0}, {"video": "no face"}),
        model=MODEL,
        text="Oh!",
        latency_ms={"llm": 300.0, "audio": 112.0},
    )

    def make(**changes: Any) -> EmotionEvent:
        return replace(event, **changes)

    return make


@pytest.fixture
async def broker() -> AsyncIterator[str]:
    """The URL of an embedded broker on a free port."""
    async with embedded_broker(0) as url:
        yield url


class Observer:
    """What another program sees at the broker."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client

    async def next(self, topic_end: str = "") -> tuple[str, str]:
        """The next message whose topic ends with `topic_end`."""
        async with asyncio.timeout(WAIT_SECONDS):
            async for message in self.client.messages:
                if message.topic.value.endswith(topic_end):
                    assert isinstance(message.payload, bytes)
                    return message.topic.value, message.payload.decode()
        raise AssertionError("the messages ended")

    async def until(self, topic_end: str, payload: str) -> None:
        """Read on until this payload arrives."""
        while (await self.next(topic_end))[1] != payload:
            pass


@contextlib.asynccontextmanager
async def observe(url: str, topic_filter: str = "bemerc/#") -> AsyncIterator[Observer]:
    """Subscribe with a client that is not ours."""
    address = BrokerAddress.parse(url)
    async with aiomqtt.Client(address.host, address.port) as client:
        await client.subscribe(topic_filter, qos=1)
        yield Observer(client)


async def retained(url: str) -> dict[str, str]:
    """All that the broker retains under `bemerc`."""
    address = BrokerAddress.parse(url)
    found: dict[str, str] = {}
    async with aiomqtt.Client(address.host, address.port) as client:
        await client.publish("bemerc/last", "last", qos=1, retain=True)
        await client.subscribe("bemerc/#", qos=1)
        async with asyncio.timeout(WAIT_SECONDS):
            async for message in client.messages:
                if message.topic.value == "bemerc/last":
                    break
                assert isinstance(message.payload, bytes)
                found[message.topic.value] = message.payload.decode()
        await client.publish("bemerc/last", "", qos=1, retain=True)
    return found


class Line:
    """A line to the broker that can be cut without a goodbye, and mended."""

    def __init__(self, broker_url: str) -> None:
        self._broker = BrokerAddress.parse(broker_url)
        self._writers: list[asyncio.StreamWriter] = []
        self.whole = True
        self.swallowing = False
        self.swallowed = asyncio.Event()
        self.url = ""

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect one client with the broker."""
        if not self.whole:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(self._broker.host, self._broker.port)
        self._writers += [writer, far_writer]
        await asyncio.gather(self._up(reader, far_writer), _pump(far_reader, writer))

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry to the broker, or nowhere while `swallowing`."""
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                if self.swallowing:
                    self.swallowed.set()
                else:
                    writer.write(data)
        writer.close()

    def cut(self) -> None:
        """Break every connection abruptly, and refuse new ones."""
        self.whole = False
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def line(broker: str) -> AsyncIterator[Line]:
    """A line to the broker of the `broker` fixture."""
    line = Line(broker)
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    line.url = f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield line
        line.cut()


class Lines(io.StringIO):
    """A text file that hands over each line as it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._partial = ""

    def write(self, text: str) -> int:
        """Take text, in whatever pieces."""
        *whole, self._partial = (self._partial + text).split("\n")
        for each in whole:
            self._queue.put_nowait(each)
        return super().write(text)

    async def next(self) -> str:
        """The next line."""
        return await asyncio.wait_for(self._queue.get(), WAIT_SECONDS)


class Screen:
    """A console whose lines can be awaited."""

    def __init__(self) -> None:
        self.lines = Lines()
        self.console = Console(file=self.lines, width=200)


@pytest.fixture
def screen() -> Callable[[], Screen]:
    """Make a screen."""
    return Screen


@pytest.fixture
def observing() -> Callable[..., contextlib.AbstractAsyncContextManager[Observer]]:
    """Subscribe with a client that is not ours."""
    return observe


@pytest.fixture
def read_retained() -> Callable[..., Any]:
    """Read all that the broker retains under `bemerc`."""
    return retained
