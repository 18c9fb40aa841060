"""RTSP streams that break off, fall silent, end and come back."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from device_doubles import Clock, noise, settled, until, wait_until
from hypothesis import given, settings
from hypothesis import strategies as st
from rtsp_server import rtsp_server

from stream.errors import UserError
from stream.media import SAMPLE_RATE, AudioChunk, VideoFrame
from stream.sources import keeper, open_source
from stream.sources.base import MediaItem
from stream.sources.container import Location
from stream.sources.keeper import MAX_HUNG
from stream.sources.network import JoinedClock, NetworkSource

LOCATION = Location.of_rtsp("rtsp://ann:secret@host/door")


@pytest.fixture(autouse=True)
def _quick(no_thread_is_left: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing does not wait for what hangs."""
    monkeypatch.setattr(keeper, "CLOSE_SECONDS", 0.05)


class Server:
    """A double of a server, and of the reader of what it sends."""

    def __init__(self) -> None:
        self.tries = self.open_readers = 0
        self.refused = False
        self.up = True
        self.tracks = (True, True)
        self.counts = False
        """Whether each opening gives items times of its own, from 0 on."""
        self._condition = threading.Condition()
        self._sent: deque[MediaItem | Exception | None] = deque()
        self._generation = 0
        self._freed = False

    def open(
        self, location: Location, *, audio: bool, video: bool, wanted: Callable[[], bool]
    ) -> Any:
        """A reader, as `MediaReader` is made."""
        self.refused = not self.up
        self.tries += 1
        if self.refused:
            raise UserError(f"cannot reach {location.shown}")
        self.open_readers += 1
        has_audio, has_video = self.tracks
        return _Reader(self, self._generation, has_audio and audio, has_video and video)

    def send(self, item: MediaItem | Exception | None) -> None:
        """Give an item, an error, or the end, to whoever reads."""
        with self._condition:
            self._sent.append(item)
            self._condition.notify_all()

    def hang(self) -> None:
        """Reads in progress never return."""
        self._generation += 1

    def free(self) -> None:
        """Everything that hangs returns, and all readers end."""
        with self._condition:
            self._freed = True
            self._condition.notify_all()

    def receive(self, generation: int) -> MediaItem | Exception | None:
        """Wait for what was sent."""
        with self._condition:
            while not self._freed:
                if self._sent and generation == self._generation:
                    return self._sent.popleft()
                self._condition.wait()
            return None


class _Reader:
    """One opening of the stream."""

    def __init__(self, server: Server, generation: int, has_audio: bool, has_video: bool) -> None:
        self._server, self._generation = server, generation
        self.has_audio, self.has_video = has_audio, has_video
        self.skipped_packets = 0
        self.still = False

    def __iter__(self) -> Iterator[MediaItem]:
        """What is sent."""
        at = 0.0
        while (item := self._server.receive(self._generation)) is not None:
            if isinstance(item, Exception):
                raise item
            self.skipped_packets += 1
            yield replace(item, time=at) if self._server.counts else item
            at += item.end - item.time if isinstance(item, AudioChunk) else 0.0

    def close(self) -> None:
        """End it."""
        self._server.open_readers -= 1


class Scene:
    """An open source, its server, and what it gave."""

    def __init__(self, source: NetworkSource, server: Server, clock: Clock) -> None:
        self.source, self.server, self.clock = source, server, clock
        self.items: list[MediaItem] = []

    async def send(self, *items: MediaItem | Exception | None) -> None:
        """Send, and wait until it came."""
        wanted = len(self.items) + sum(isinstance(i, AudioChunk | VideoFrame) for i in items)
        for item in items:
            self.server.send(item)
        await until(lambda: len(self.items) >= wanted)


@asynccontextmanager
async def scene(**options: bool) -> AsyncIterator[Scene]:
    """A source with a double of its server; everything that hangs is freed in the end."""
    server, clock = Server(), Clock()
    source = NetworkSource(
        LOCATION, name="door", clock=clock, sleep=clock.sleep, open_reader=server.open, **options
    )
    scene = Scene(source, server, clock)

    async def read() -> None:
        async for item in source:
            scene.items.append(item)

    try:
        async with source:
            reading = asyncio.create_task(read())
            clock.settled = lambda: settled(source._upkeep, server)
            yield scene
            source.stop()
            await asyncio.wait_for(reading, 1)
            server.free()
    finally:
        server.free()
    await until(lambda: server.open_readers == 0)


def _sound(time: float, seconds: float = 0.5) -> AudioChunk:
    return AudioChunk(time, np.zeros(round(seconds * SAMPLE_RATE), np.float32))


def _picture(time: float) -> VideoFrame:
    return VideoFrame(time, noise(1))


async def test_a_stream_that_breaks_off_is_opened_again_with_a_gap() -> None:
    """Media time goes on by the clock, though each opening begins at 0 of its own."""
    async with scene() as door:
        await door.send(_sound(0.0), _picture(0.1))
        await door.clock.advance(10.0)
        await door.send(_sound(10.0), _picture(10.1))
        door.server.up = False
        await door.send(UserError("broken"))
        await until(lambda: door.source.trouble == ("stream interrupted",))
        await door.clock.advance(5.0)
        door.server.up = True
        await door.clock.advance(25.0)
        await door.send(_sound(0.0), _picture(0.1))
        assert door.source.trouble == ()
        assert door.source.restarts >= 2
        assert door.source.skipped_packets == 6
    assert [round(item.time, 3) for item in door.items] == [0.0, 0.1, 10.0, 10.1, 40.0, 40.1]


@pytest.mark.parametrize("end", [None, UserError("stopped"), ZeroDivisionError()])
async def test_however_a_stream_ends_it_is_opened_again(end: Exception | None) -> None:
    """A camera that restarts closes its connection in order, and that is no end either."""
    async with scene() as door:
        await door.send(_sound(0.0))
        await door.send(end)
        await until(lambda: door.source.trouble == ("stream interrupted",))
        await door.clock.advance(1.0)
        await door.send(_sound(0.0))
    assert door.items[1].time == pytest.approx(1.0, abs=0.3)


async def test_a_stream_that_hangs_is_opened_again_soon_after_ffmpegs_own_timeout() -> None:
    """What its thread gives at last is refused."""
    async with scene() as door:
        await door.send(_sound(0.0))
        door.server.hang()
        await door.clock.advance(11.0)
        assert door.source.restarts == 0
        await door.clock.advance(2.0)
        await until(lambda: door.server.tries == 2)
        await door.send(_sound(0.0))
    assert len(door.items) == 2


async def test_a_stream_that_stays_away_is_tried_rarely() -> None:
    """Five times at first, then twice a minute, for as long as it takes."""
    async with scene() as door:
        await door.send(_sound(0.0))
        door.server.up = False
        await door.send(None)
        await until(lambda: door.source.trouble == ("stream interrupted",))
        for _ in range(360):
            await door.clock.advance(1.0)
            await asyncio.sleep(0.0005)
        assert 5 + 8 <= door.source.restarts <= 5 + 11
        door.server.up = True
        await door.clock.advance(31.0)
        await door.send(_sound(0.0))
        assert door.source.trouble == ()
    assert door.items[1].time == pytest.approx(391, abs=2)


async def test_later_openings_read_the_tracks_of_the_first() -> None:
    """What was made for pictures alone gets no sound all of a sudden."""
    async with scene(audio=False) as door:
        assert (door.source.has_audio, door.source.has_video) == (False, True)
    async with scene() as door:
        assert (door.source.has_audio, door.source.has_video) == (True, True)


@pytest.mark.parametrize("fault", ["none", "down", "hangs"])
async def test_stop_is_prompt(fault: str) -> None:
    """Nobody waits for a read in progress."""
    async with scene() as door:
        await door.send(_sound(0.0))
        if fault == "down":
            door.server.up = False
            await door.send(None)
            await door.clock.advance(100.0)
        elif fault == "hangs":
            door.server.hang()
            await door.clock.advance(5.0)
        began = time.monotonic()
    assert time.monotonic() - began < 1.0


async def test_what_is_wrong_at_the_start_is_told() -> None:
    """And nothing is tried again."""
    server, clock = Server(), Clock()
    server.up = False
    source = NetworkSource(
        LOCATION, name="door", clock=clock, sleep=clock.sleep, open_reader=server.open
    )
    with pytest.raises(UserError, match="cannot reach rtsp://host/door"):
        await source.__aenter__()
    await clock.advance(100)
    assert server.tries == 1


async def test_a_source_must_be_opened_before_it_is_read() -> None:
    """Forgetting `async with` is told, not guessed around."""
    with pytest.raises(RuntimeError, match="async with"):
        await anext(aiter(NetworkSource(LOCATION, name="door")))


media = st.sampled_from(["sound", "picture", "burst"])
steps = media | media | st.sampled_from(["break", "end", "hang", "down", "up"])
waits = st.sampled_from([0.1, 1.0, 13.0])


@settings(max_examples=50)
@given(st.lists(st.tuples(steps, waits), min_size=5, max_size=40))
def test_time_never_goes_back_whatever_fails(schedule: list[tuple[str, float]]) -> None:
    """Over all openings, each of which begins at 0, and with both tracks out of step."""
    threads = threading.active_count()

    async def play() -> None:
        async with scene() as door:
            door.server.counts = True
            for step, seconds in schedule:
                await _act(door, step)
                await door.clock.advance(seconds)
                await asyncio.sleep(0.001)
                assert threading.active_count() <= threads + MAX_HUNG + 2
        for kind in (AudioChunk, VideoFrame):
            track = [item for item in door.items if isinstance(item, kind)]
            ends = [getattr(item, "end", item.time) for item in track]
            assert all(b.time >= end - 1e-9 for end, b in zip(ends, track[1:], strict=False))

    asyncio.run(play())
    wait_until(lambda: threading.active_count() <= threads + 1)


async def _act(door: Scene, step: str) -> None:
    acts: dict[str, Callable[[], object]] = {
        "sound": lambda: door.server.send(_sound(0.0)),
        "picture": lambda: door.server.send(_picture(0.0)),
        "burst": lambda: [door.server.send(_sound(0.0)) for _ in range(6)],
        "break": lambda: door.server.send(UserError("broken")),
        "end": lambda: door.server.send(None),
        "hang": door.server.hang,
        "down": lambda: setattr(door.server, "up", False),
        "up": lambda: setattr(door.server, "up", True),
    }
    acts[step]()


@given(
    st.lists(
        st.tuples(
            st.floats(0, 100),
            st.lists(st.tuples(st.floats(0, 0.4), st.sampled_from([0.0, 0.1, 0.5])), min_size=1),
        ),
        min_size=1,
    )
)
def test_openings_are_joined_without_overlap(
    openings: list[tuple[float, list[tuple[float, float]]]],
) -> None:
    """Each begins after all that came before, and not before its time; sound keeps its grid."""
    joined, now, end = JoinedClock(), 1000.0, 0.0
    for silence, steps in openings:
        now += silence
        at, before = 0.0, end
        for number, (jump, seconds) in enumerate(steps):
            at = round((at + jump) * SAMPLE_RATE) / SAMPLE_RATE
            item = _sound(at, seconds) if seconds else _picture(at)
            if number == 0:
                joined.begin(item.time, now)
            placed = joined.place(item)
            assert placed.time >= before - 1e-9
            assert placed.time * SAMPLE_RATE == pytest.approx(round(placed.time * SAMPLE_RATE))
            at += seconds
            end = max(end, placed.time + seconds)


async def test_a_real_stream_that_is_closed_is_read_again() -> None:
    """A real client talks to a real server, and hears all that it sends, twice."""
    async with (
        rtsp_server(bytes([0x00, 0x80] * 4000) * 2) as address,
        open_source(f"rtsp://{address}/door") as source,
    ):
        assert (source.live, source.has_audio, source.has_video) == (True, True, False)
        assert source.name == "rtsp-127.0.0.1"
        chunks: list[AudioChunk] = []
        async for item in source:
            assert isinstance(item, AudioChunk)
            chunks.append(item)
            if source.restarts and item.end - chunks[0].time > 3.9:
                source.stop()
    assert source.restarts == 1
    assert all(b.time >= a.end - 1e-9 for a, b in itertools.pairwise(chunks))
    assert max(abs(chunk.samples).max() for chunk in chunks) > 0.9


async def test_a_real_stream_that_falls_silent_is_interrupted() -> None:
    """FFmpeg's own timeout ends the read; what came before is given."""
    async with rtsp_server(bytes(16_000), hangs=True) as address:
        location = Location.of_rtsp(f"rtsp://{address}/door", timeout_seconds=0.3)
        async with NetworkSource(location, name="door") as source:
            items: list[MediaItem] = []

            async def read() -> None:
                async for item in source:
                    items.append(item)

            reading = asyncio.create_task(read())
            await until(lambda: source.trouble == ("stream interrupted",))
            assert items[-1].time > 1.5
            await until(lambda: source.restarts >= 1 and source.trouble == ())
            source.stop()
            await reading


async def test_a_stream_that_wants_a_password_says_how_to_give_it() -> None:
    """The message shows the form, and never a password."""
    async with rtsp_server(b"", password=True) as address:
        with pytest.raises(UserError, match="refuses the login; write rtsp://USER:PASSWORD@"):
            async with open_source(f"rtsp://{address}/door"):
                pass
