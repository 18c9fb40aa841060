"""The MQTT sink against a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from engine.events import EmotionEvent
from engine.outlet import Outlet
from engine.sinks import Departure, MqttSink, Sink, embedded_broker
from engine.sinks.connection import BrokerAddress
from engine.vitals import Vitals
from stream.errors import UserError

NODE = "bemerc/v1/desk"
ROSS = f"{NODE}/src/talk.mp4/p/ross"


@pytest.fixture
def make_sink(model: Any) -> Any:
    """Make a sink of the node `desk` and the source `talk.mp4`."""

    def make(url: str, **options: Any) -> MqttSink:
        return MqttSink(
            url,
            node="desk",
            source="talk.mp4",
            model=model,
            version="0.1.0",
            labels=("joy", "anger"),
            **options,
        )

    return make


class Gate:
    """Waits between attempts until the test opens the gate."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Stand in for `asyncio.sleep`."""
        assert seconds > 0
        self.reached.set()
        await self.open.wait()


async def wait(event: asyncio.Event) -> None:
    """Wait for an event that must come."""
    await asyncio.wait_for(event.wait(), 60)


async def test_event_and_state(
    broker: str, make_sink: Any, make_event: Any, observing: Any
) -> None:
    """A subscriber gets the event, and the label as the state of the participant."""
    event = make_event()
    async with observing(broker, f"{NODE}/src/+/p/+/+") as observer:
        sink: Sink = make_sink(broker)
        async with sink:
            await sink.publish(event)
            topic, payload = await observer.next()
            assert topic == f"{ROSS}/utterance"
            assert EmotionEvent.loads(payload) == event
            assert await observer.next() == (f"{ROSS}/state", "joy")
        assert await observer.next() == (f"{ROSS}/state", "")


async def test_what_is_retained(
    broker: str, make_sink: Any, make_event: Any, observing: Any, read_retained: Any
) -> None:
    """A late subscriber finds who runs; after leaving, nothing about people is left."""
    async with observing(broker, f"{ROSS}/state") as observer:
        async with make_sink(broker) as sink:
            await sink.publish(make_event())
            await observer.next()
            found = await read_retained(broker)
            info = json.loads(found.pop(f"{NODE}/info"))
            assert info["labels"] == ["joy", "anger"]
            assert info["version"] == "0.1.0"
            assert info["model"]["name"] == "compact"
            assert found == {
                f"{NODE}/status": "online",
                f"{NODE}/src/talk.mp4/status": "online",
                f"{ROSS}/state": "joy",
            }
        found = await read_retained(broker)
        del found[f"{NODE}/info"]
        assert found == {
            f"{NODE}/status": "offline",
            f"{NODE}/src/talk.mp4/status": "offline",
        }


async def test_nothing_to_go_by_has_no_label(
    broker: str, make_sink: Any, make_event: Any, observing: Any
) -> None:
    """The state after an abstention is `unknown`, not the label that the model would guess."""
    event = make_event()
    object.__setattr__(event.emotion, "abstained", True)
    async with observing(broker, f"{ROSS}/state") as observer, make_sink(broker) as sink:
        await sink.publish(event)
        assert await observer.next() == (f"{ROSS}/state", "unknown")


async def test_the_state_of_one_who_left_is_emptied(
    broker: str, make_event: Any, make_sink: Any, observing: Any, read_retained: Any
) -> None:
    """While the node goes on; others keep theirs, and one without a state needs nothing."""
    gone, stays = make_event(), make_event(participant="phoebe")
    async with make_sink(broker) as sink:
        async with observing(broker, f"{ROSS}/state") as observer:
            for event in (gone, stays):
                await sink.publish(event)
            assert await observer.next() == (f"{ROSS}/state", "joy")
            await sink.leave(Departure(gone.source, "nobody"))
            await sink.leave(Departure(gone.source, gone.participant))
            assert await observer.next() == (f"{ROSS}/state", "")
        retained = await read_retained(broker)
        states = {topic: value for topic, value in retained.items() if topic.endswith("/state")}
        assert list(states.values()) == ["joy"]


async def test_last_will(
    broker: str, line: Any, make_sink: Any, observing: Any, read_retained: Any
) -> None:
    """When the connection breaks without a goodbye, the broker says and retains `offline`."""
    gate = Gate()
    async with observing(broker, f"{NODE}/status") as observer:
        async with make_sink(line.url, sleep=gate.sleep):
            await observer.until("/status", "online")
            line.cut()
            await observer.until("/status", "offline")
            assert (await read_retained(broker))[f"{NODE}/status"] == "offline"


async def test_comes_back_after_a_broken_connection(
    broker: str, line: Any, make_sink: Any, make_event: Any, observing: Any
) -> None:
    """The node is `online` again, and what happened meanwhile is delivered."""
    gate = Gate()
    async with observing(broker) as observer, make_sink(line.url, sleep=gate.sleep) as sink:
        await observer.until("/status", "online")
        line.cut()
        await observer.until("desk/status", "offline")
        late = asyncio.create_task(sink.publish(make_event(id="late")))
        await wait(gate.reached)
        line.whole = True
        gate.open.set()
        await observer.until("desk/status", "online")
        _, payload = await observer.next("/utterance")
        assert EmotionEvent.loads(payload).id == "late"
        await late


async def test_an_event_that_was_on_its_way_is_sent_again(
    broker: str, line: Any, make_sink: Any, make_event: Any, observing: Any
) -> None:
    """What the broker did not acknowledge before the line broke is not lost."""
    gate = Gate()
    async with observing(broker) as observer, make_sink(line.url, sleep=gate.sleep) as sink:
        line.swallowing = True
        on_its_way = asyncio.create_task(sink.publish(make_event(id="on its way")))
        await wait(line.swallowed)
        line.cut()
        await wait(gate.reached)
        assert not on_its_way.done()
        line.swallowing, line.whole = False, True
        gate.open.set()
        _, payload = await observer.next("/utterance")
        assert EmotionEvent.loads(payload).id == "on its way"
        await on_its_way


async def test_a_broker_that_acknowledges_nothing_is_connected_to_anew(
    broker: str, line: Any, make_sink: Any, make_event: Any, observing: Any
) -> None:
    """A line that swallows everything without breaking costs a delay, not the event."""
    gate = Gate()
    async with (
        observing(broker) as observer,
        make_sink(line.url, sleep=gate.sleep, connect_seconds=0.2) as sink,
    ):
        line.swallowing = True
        publishing = asyncio.create_task(sink.publish(make_event(id="swallowed")))
        await wait(gate.reached)
        line.swallowing = False
        gate.open.set()
        _, payload = await observer.next("/utterance")
        assert EmotionEvent.loads(payload).id == "swallowed"
        await publishing


@contextlib.asynccontextmanager
async def delivering(outlet: Outlet) -> AsyncIterator[asyncio.Task[None]]:
    """Deliver what the outlet holds, as the engine does."""
    task = asyncio.create_task(outlet.deliver())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_redelivers_in_order_after_a_broker_restart(
    make_sink: Any, make_event: Any, observing: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Events made while the broker is away arrive in order, with the ids they had."""
    gate, vitals = Gate(), Vitals()
    async with contextlib.AsyncExitStack() as stack:
        async with embedded_broker(0) as url:
            sink = await stack.enter_async_context(make_sink(url, sleep=gate.sleep))
        outlet = Outlet(sink, asyncio.sleep, vitals)
        delivery = await stack.enter_async_context(delivering(outlet))
        await wait(gate.reached)
        sent = [make_event(id=f"event-{n}", turn=n) for n in range(5)]
        for event in sent:
            outlet.put(event)
        assert (len(outlet), outlet.undelivered) == (5, 5)
        async with (
            embedded_broker(BrokerAddress.parse(url).port) as again,
            observing(again) as observer,
        ):
            gate.open.set()
            got = [await observer.next("/utterance") for _ in sent]
            assert [EmotionEvent.loads(payload) for _, payload in got] == sent
            outlet.close()
            await asyncio.wait_for(delivery, 60)
            assert (len(outlet), outlet.undelivered) == (0, 0)
            await stack.aclose()
    messages = [record.getMessage() for record in caplog.records]
    assert [text for text in messages if "lost mqtt://" in text]
    assert f"MQTT: connected to {url} again" in messages


async def test_a_restarted_broker_learns_the_states(
    make_sink: Any, make_event: Any, observing: Any, read_retained: Any
) -> None:
    """A broker that forgot what it retained is told who is there and their latest label."""
    gate = Gate()
    async with contextlib.AsyncExitStack() as stack:
        async with embedded_broker(0) as url:
            sink = await stack.enter_async_context(make_sink(url, sleep=gate.sleep))
            async with observing(url, f"{ROSS}/state") as observer:
                await sink.publish(make_event())
                await observer.next()
        await wait(gate.reached)
        async with embedded_broker(BrokerAddress.parse(url).port) as again:
            async with observing(again, f"{ROSS}/state") as observer:
                gate.open.set()
                assert await observer.next() == (f"{ROSS}/state", "joy")
            assert (await read_retained(again))[f"{NODE}/status"] == "online"
            await stack.aclose()


async def test_a_broker_that_stays_away_costs_the_oldest_events(
    make_sink: Any, make_event: Any
) -> None:
    """What is lost is counted where the run counts: in its metrics and at its end."""
    gate, vitals = Gate(), Vitals()
    async with contextlib.AsyncExitStack() as stack:
        async with embedded_broker(0) as url:
            sink = await stack.enter_async_context(make_sink(url, sleep=gate.sleep))
        outlet = Outlet(sink, asyncio.sleep, vitals, limit=2)
        await stack.enter_async_context(delivering(outlet))
        await wait(gate.reached)
        for n in range(5):
            outlet.put(make_event(turn=n))
    assert (len(outlet), outlet.undelivered) == (2, 5)
    assert b'bemerc_dropped_total{what="events"} 3.0' in vitals.exposition()


async def test_news_is_not_kept_for_a_broker_that_is_away(make_sink: Any, make_event: Any) -> None:
    """It would only be in the way of events that count."""
    gate = Gate()
    async with contextlib.AsyncExitStack() as stack:
        async with embedded_broker(0) as url:
            sink = await stack.enter_async_context(make_sink(url, sleep=gate.sleep))
        await wait(gate.reached)
        async with asyncio.timeout(60):
            await sink.publish(make_event(id="news", partial=True))


async def test_leaving_takes_back_what_is_retained(
    broker: str, make_sink: Any, make_event: Any, observing: Any, read_retained: Any
) -> None:
    """The events come, then no label is left, and the node says `offline`."""
    async with observing(broker) as observer:
        async with make_sink(broker) as sink:
            for n in range(3):
                await sink.publish(make_event(turn=n))
        got = [await observer.next("/utterance") for _ in range(3)]
        assert [EmotionEvent.loads(payload).turn for _, payload in got] == [0, 1, 2]
        await observer.until("/state", "")
        await observer.until("desk/status", "offline")
    assert not [topic for topic in await read_retained(broker) if topic.endswith("/state")]


async def test_a_broker_that_is_away_does_not_hold_up_the_end(
    make_sink: Any, make_event: Any
) -> None:
    """Nor does one that does not answer the goodbye."""
    gate = Gate()
    async with contextlib.AsyncExitStack() as stack:
        async with embedded_broker(0) as url:
            await stack.enter_async_context(make_sink(url, sleep=gate.sleep))
        await wait(gate.reached)
        async with asyncio.timeout(2):
            await stack.aclose()


async def test_a_label_that_cannot_be_taken_back_is_told(
    line: Any, make_sink: Any, make_event: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that is away at the end retains it, so somebody must know where."""
    gate = Gate()
    async with make_sink(line.url, sleep=gate.sleep, goodbye_seconds=0.1) as sink:
        await sink.publish(make_event())
        line.cut()
        await wait(gate.reached)
    (message,) = [text for text in caplog.messages if "retaining" in text]
    assert f"{ROSS}/state" in message


async def test_a_broker_that_comes_back_at_the_end_retains_no_label(
    line: Any, broker: str, make_sink: Any, make_event: Any, read_retained: Any, caplog: Any
) -> None:
    """The goodbye waits a moment for the connection."""
    gate = Gate()
    async with make_sink(line.url, sleep=gate.sleep, goodbye_seconds=60.0) as sink:
        await sink.publish(make_event())
        line.cut()
        await wait(gate.reached)
        line.whole = True
        gate.open.set()
    assert not [topic for topic in await read_retained(broker) if topic.endswith("/state")]
    assert not [text for text in caplog.messages if "retaining" in text]


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    """A password file with the user `ann`, password `sesame`."""
    path = tmp_path / "passwords"
    path.write_text(f"ann:{PasswordHash((Argon2Hasher(),)).hash('sesame')}\n")
    return path


@pytest.mark.parametrize(
    ("user", "message"),
    [("ann:swordfish@", "refused this user and password"), ("", "wants a user and password")],
)
async def test_wrong_password(
    passwords: Path, make_sink: Any, caplog: Any, user: str, message: str
) -> None:
    """A refused user is told in one line what to correct, without the password."""
    caplog.set_level(logging.DEBUG)
    plugins = {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(passwords)}}
    async with embedded_broker(0, plugins) as url:
        with pytest.raises(UserError, match=message) as caught:
            await make_sink(url.replace("//", f"//{user}")).__aenter__()
    assert "\n" not in str(caught.value)
    assert "swordfish" not in f"{caught.value}{caplog.text}"


async def test_right_password(passwords: Path, make_sink: Any, caplog: Any) -> None:
    """A user with the right password gets in."""
    caplog.set_level(logging.DEBUG)
    plugins = {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(passwords)}}
    async with embedded_broker(0, plugins) as url:
        async with make_sink(url.replace("//", "//ann:sesame@")) as sink:
            assert sink.address.username == "ann"
    assert "sesame" not in caplog.text


async def test_unreachable(make_sink: Any) -> None:
    """Where nothing listens, entering the sink is a UserError."""
    async with embedded_broker(0) as url:
        pass
    with pytest.raises(UserError, match="start the broker or correct the URL"):
        await make_sink(url).__aenter__()
