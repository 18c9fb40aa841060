"""Show the events that arrive at a broker, whoever publishes them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode
from rich.console import Console

from engine.events import EmotionEvent
from engine.sinks import topics, wording
from engine.sinks.connection import CONNECT_SECONDS, BrokerAddress, connect, delays, explain
from engine.sinks.console import Terminal, print_line
from stream.errors import UserError
from stream.printable import printable

QUEUE_LIMIT = 1_000
"""Messages kept while the terminal is slower than the broker."""
PAYLOAD_LIMIT = 1_000_000
"""Bytes of a message that is looked at."""
_FAILED = 128
"""Lowest return code of a refused subscription."""


async def watch(
    url: str,
    filters: Sequence[str] = (topics.UTTERANCES,),
    *,
    as_json: bool = False,
    out: Console | None = None,
    notices: Console | None = None,
    connect_seconds: float = CONNECT_SECONDS,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Print each event as a line until cancelled; a lost connection is opened again.

    Args:
        url: The broker, see `BrokerAddress`.
        filters: MQTT topic filters; messages of other topics than `.../utterance` are
            printed as they are, and left out with `as_json`.
        as_json: Print the CloudEvents document, one a line.
        out: Takes the events; by default standard output.
        notices: Takes what is to be said beside them; by default standard error.
        connect_seconds: How long each request to the broker may take.
        sleep: Waits before another attempt to connect.

    Raises:
        UserError: If a filter is none, or the broker cannot be reached or refuses us.
        SinkGoneError: Nobody reads the events any more.
    """
    address = BrokerAddress.parse(url)
    for text in filters:
        if not topics.is_filter(text):
            raise UserError(
                f"{printable(text)!r} is no MQTT topic filter; write for example"
                f" {topics.UTTERANCES} (+ for one level, # for all that follow)"
            )
    printer = _Printer(as_json, out or Terminal(), notices or Terminal(stderr=True))
    waits, connected_before, away = delays(), False, False
    while True:
        try:
            async with connect(address, seconds=connect_seconds, queue_limit=QUEUE_LIMIT) as client:
                await _subscribe(client, address, filters)
                printer.notice(
                    f"connected to {address} again"
                    if connected_before
                    else f"watching {', '.join(filters)} on {address}"
                )
                waits, connected_before, away = delays(), True, False
                async for message in client.messages:
                    printer.show(message)
        except aiomqtt.MqttError as error:
            if not connected_before:
                raise explain(address, error) from None
            if not away:
                printer.notice(f"lost {address}, trying again ({error})")
            away = True
        await sleep(next(waits))


async def _subscribe(
    client: aiomqtt.Client, address: BrokerAddress, filters: Sequence[str]
) -> None:
    codes: Sequence[int | ReasonCode] = await client.subscribe([(text, 1) for text in filters])
    for text, code in zip(filters, codes, strict=True):
        if (code.value if isinstance(code, ReasonCode) else code) >= _FAILED:
            raise UserError(
                f"the MQTT broker {address} does not let us read {printable(text)};"
                " use another filter or user"
            )


class _Printer:
    def __init__(self, as_json: bool, out: Console, notices: Console) -> None:
        self._as_json = as_json
        self._out = out
        self._notices = notices
        self._malformed = 0

    def notice(self, text: str) -> None:
        print_line(self._notices, printable(text, 500))

    def show(self, message: aiomqtt.Message) -> None:
        payload = message.payload if isinstance(message.payload, bytes) else b""
        if not message.topic.value.endswith("/utterance"):
            if not self._as_json:
                shown = printable(payload[:1_000].decode(errors="replace"))
                print_line(self._out, f"{printable(message.topic.value)}  {shown}")
            return
        try:
            if len(payload) > PAYLOAD_LIMIT:
                raise ValueError(f"event: has more than {PAYLOAD_LIMIT} bytes")
            event = EmotionEvent.loads(payload)
        except ValueError as error:
            self._malformed += 1
            topic = printable(message.topic.value)
            self.notice(f"skipped malformed message {self._malformed} on {topic}: {error}")
            return
        print_line(self._out, self._line(event, payload))

    def _line(self, event: EmotionEvent, payload: bytes) -> str:
        """One line; as JSON it keeps the attributes that this version does not know."""
        return json.dumps(json.loads(payload)) if self._as_json else wording.line(event)
