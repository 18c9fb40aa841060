"""A camera and a microphone that are unplugged, hang, freeze and come back."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from device_doubles import Clock, SoundCard, Webcam, noise, settled, until, wait_until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_factory import moving, write_media

from stream.errors import UserError
from stream.media import AudioChunk, VideoFrame
from stream.sources import capture, keeper, microphone
from stream.sources.base import MediaItem
from stream.sources.camera import CameraSource
from stream.sources.keeper import MAX_HUNG


@pytest.fixture(autouse=True)
def _quick(no_thread_is_left: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits in real time."""
    monkeypatch.setattr(capture, "_BAD_READ_SECONDS", 0.0)
    monkeypatch.setattr(microphone, "_POLL_SECONDS", 0.001)
    monkeypatch.setattr(keeper, "CLOSE_SECONDS", 0.05)


class Scene:
    """An open source, its devices, and what it gave."""

    def __init__(self, source: CameraSource, webcam: Webcam, card: SoundCard, clock: Clock) -> None:
        self.source, self.webcam, self.card, self.clock = source, webcam, card, clock
        self.items: list[MediaItem] = []
        self.numbers = itertools.count()

    @property
    def frames(self) -> list[VideoFrame]:
        """Its pictures."""
        return [item for item in self.items if isinstance(item, VideoFrame)]

    @property
    def chunks(self) -> list[AudioChunk]:
        """Its sound."""
        return [item for item in self.items if isinstance(item, AudioChunk)]

    async def see(self, count: int = 1, *, still: bool = False) -> None:
        """Let the camera show a picture each second, until so many more have come."""
        wanted = len(self.frames) + count
        while len(self.frames) < wanted:
            before = len(self.frames)
            await self.clock.advance(1.0)
            self.webcam.show(noise(0 if still else next(self.numbers) + 1))
            await until(lambda: len(self.frames) > before, at_most=0.01)  # noqa: B023

    async def hear(self, count: int = 1) -> None:
        """Let a second of sound pass, so many times."""
        for _ in range(count):
            await self.clock.advance(1.0)
            self.card.record(1.0)
            await asyncio.sleep(0)


@asynccontextmanager
async def scene(*, audio: bool = False, video: bool = True) -> AsyncIterator[Scene]:
    """A source with doubles of its devices; everything that hangs is freed in the end."""
    webcam, card, clock = Webcam(), SoundCard(), Clock()
    source = CameraSource(
        0 if video else None,
        audio=audio,
        clock=clock,
        sleep=clock.sleep,
        open_capture=webcam.open,
        open_stream=card.open,
    )
    scene = Scene(source, webcam, card, clock)

    async def read() -> None:
        async for item in source:
            scene.items.append(item)

    try:
        async with source:
            reading = asyncio.create_task(read())
            doubles = [*([card] if audio else []), *([webcam] if video else [])]
            clock.settled = lambda: settled(source._upkeep, *doubles)
            yield scene
            source.stop()
            await asyncio.wait_for(reading, 1)
            webcam.free()
    finally:
        webcam.free()
    await until(lambda: webcam.open_captures == 0)
    assert card.open_streams == 0


async def test_a_camera_is_unplugged_and_comes_back() -> None:
    """Without a microphone, too, the source goes on, with a gap in its pictures."""
    async with scene() as room:
        await room.see(3)
        assert (room.source.restarts, room.source.trouble) == (0, ())
        room.webcam.unplug()
        await until(lambda: room.source.trouble == ("camera lost",))
        await room.clock.advance(5.0)
        room.webcam.plug()
        tries = room.webcam.tries
        await room.clock.advance(20.0)
        await until(lambda: room.webcam.tries > tries)
        await room.see(3)
        assert room.source.trouble == ()
    times = [frame.time for frame in room.frames]
    assert len(times) == 6
    assert times[3] - times[2] > 25.0
    assert room.source.restarts >= 2
    assert room.source.skipped_packets >= 30


async def test_sound_goes_on_without_the_camera() -> None:
    """Only the pictures have a gap."""
    async with scene(audio=True) as room:
        await room.see()
        room.webcam.unplug()
        await room.hear(100)
        assert room.source.trouble == ("camera lost",)
        assert 5 + 1 <= room.source.restarts <= 5 + 3
        room.webcam.plug()
        await room.hear(31)
        await room.see()
        assert room.source.trouble == ()
    ends = [chunk.end for chunk in room.chunks]
    assert [chunk.time for chunk in room.chunks[1:]] == pytest.approx(ends[:-1], abs=1e-9)
    assert room.frames[-1].time - room.frames[0].time > 130


async def test_pictures_go_on_without_the_microphone() -> None:
    """It is opened again at the rate that it has by then, and its sound has a gap."""
    async with scene(audio=True) as room:
        for _ in range(3):
            await room.hear()
            await room.see()
        room.card.unplug()
        await until(lambda: room.source.trouble == ("microphone lost",))
        await room.see(60)
        assert len(room.frames) == 63
        room.card.plugged, room.card.rate = True, 48_000
        await room.see(40)
        await until(lambda: room.card.open_streams == 1)
        await room.hear(5)
        assert room.source.trouble == ()
    spans = [(chunk.time, chunk.end) for chunk in room.chunks]
    assert max(b[0] - a[1] for a, b in itertools.pairwise(spans)) > 90
    assert sum(end - start for start, end in spans) == pytest.approx(3 + 5, abs=0.01)
    assert all(b[0] >= a[1] - 1e-9 for a, b in itertools.pairwise(spans))


async def test_a_microphone_that_falls_silent_is_opened_again() -> None:
    """Some systems never say that it is gone; other sound that it lost is counted."""
    async with scene(audio=True, video=False) as room:
        await room.hear(2)
        room.card.record(0.1, overflowed=True)
        room.card.unplug(told=False)
        await room.clock.advance(8.0)
        await until(lambda: room.source.trouble == ("microphone lost",))
        room.card.plugged = True
        tries = room.card.tries
        await room.clock.advance(31.0)
        await until(lambda: room.card.tries > tries and room.card.open_streams == 1)
        await room.hear(2)
        assert room.source.trouble == ()
        assert room.source.skipped_packets == 1


async def test_a_camera_that_hangs_is_read_by_another_thread() -> None:
    """The picture that the first one gives at last is refused."""
    async with scene() as room:
        await room.see(2)
        room.webcam.hang()
        await room.clock.advance(6.0)
        await until(lambda: room.webcam.tries == 2)
        await room.see(2)
        assert (room.source.restarts, room.source.trouble) == (1, ())
        room.webcam.free()
    assert len(room.frames) == 4


async def test_hanging_threads_are_bounded() -> None:
    """A driver that always hangs costs a few threads, and stopping is prompt all the same."""
    threads = threading.active_count()
    async with scene() as room:
        await room.see()
        room.webcam.hang(opening=True)
        await room.clock.advance(600.0)
        assert room.webcam.tries == MAX_HUNG
        assert threading.active_count() <= threads + MAX_HUNG
        assert room.source.trouble == ("camera frozen",)


async def test_a_frozen_camera_is_opened_again_once() -> None:
    """The same picture for ten seconds; where it stays the same, that is only said."""
    async with scene() as room:
        await room.see(11, still=True)
        room.webcam.show(noise(0))
        await room.clock.advance(2.0)
        await until(lambda: room.webcam.tries == 2)
        await room.see(100, still=True)
        assert room.webcam.tries == 2
        assert (room.source.restarts, room.source.trouble) == (1, ("camera frozen",))
        await room.see()
        assert room.source.trouble == ()


@pytest.mark.parametrize("fault", ["none", "unplugged", "given up", "hangs", "opening hangs"])
async def test_stop_is_prompt(fault: str) -> None:
    """Whatever is wrong, no driver holds Ctrl-C back."""
    async with scene(audio=True) as room:
        await room.see()
        if fault in ("unplugged", "given up"):
            room.webcam.unplug()
            room.card.unplug()
            await room.clock.advance(100.0 if fault == "given up" else 1.0)
        elif fault != "none":
            room.webcam.hang(opening=fault == "opening hangs")
            await room.clock.advance(20.0)
        began = time.monotonic()
    assert time.monotonic() - began < 1.0


async def test_cancelling_while_a_camera_is_opened_is_prompt() -> None:
    """Ctrl-C at the start; the thread closes the camera when the driver lets it."""
    webcam, clock = Webcam(), Clock()
    webcam.hang(opening=True)
    source = CameraSource(0, audio=False, clock=clock, sleep=clock.sleep, open_capture=webcam.open)
    opening = asyncio.create_task(source.__aenter__())
    await until(lambda: webcam.tries == 1)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    webcam.free()
    await until(lambda: webcam.open_captures == 0)


async def test_a_missing_camera_or_microphone_is_told_and_the_rest_closed() -> None:
    """Opening either works or leaves nothing open."""
    webcam, card, clock = Webcam(), SoundCard(), Clock()
    source = CameraSource(
        0, clock=clock, sleep=clock.sleep, open_capture=webcam.open, open_stream=card.open
    )
    webcam.unplug()
    with pytest.raises(UserError, match="cannot open camera 0"):
        await source.__aenter__()
    assert card.open_streams == 0
    card.plugged = False
    with pytest.raises(UserError, match="no microphone was found"):
        await source.__aenter__()
    assert card.open_streams == 0


async def test_stop_before_opening_gives_nothing() -> None:
    """As with any other source."""
    webcam, clock = Webcam(), Clock()
    source = CameraSource(0, audio=False, clock=clock, sleep=clock.sleep, open_capture=webcam.open)
    source.stop()
    async with source:
        assert [item async for item in source] == []
        webcam.free()


async def test_real_captures_and_the_real_clock(tmp_path: Path) -> None:
    """A recording plays a camera that is unplugged at its end, and plugged in again."""
    path = str(write_media(tmp_path / "camera.mp4", pictures=moving(20)))
    source = CameraSource(path, audio=False)
    assert (source.live, source.has_audio, source.has_video) == (True, False, True)
    times: list[float] = []
    async with source:
        async for item in source:
            times.append(item.time)
            if source.restarts:
                source.stop()
    assert times == sorted(times)
    assert source.restarts == 1


steps = ["still", "bad", "unplug", "plug", "mute", "unmute", "rate", "hang"]
times = ["pass 1", "pass 6", "pass 40"]
faults = st.lists(
    st.sampled_from(["see", "hear"]) | st.sampled_from([*steps, *times]), min_size=5, max_size=30
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(faults)
def test_time_never_goes_back_whatever_fails(schedule: list[str]) -> None:
    """Neither track overlaps itself nor runs ahead of the clock, and threads are bounded."""
    threads = threading.active_count()

    async def play() -> None:
        async with scene(audio=True) as room:
            for number, step in enumerate(schedule):
                await _act(room, step, number)
                # The camera's and the microphone's own threads come on top of those that hang.
                assert threading.active_count() <= threads + 2 * (MAX_HUNG + 1)
            now = room.clock.now - 1000.0
        for track in (room.frames, room.chunks):
            spans = [(item.time, getattr(item, "end", item.time)) for item in track]
            assert all(later[0] >= end - 1e-9 for (_, end), later in itertools.pairwise(spans))
            assert all(0 <= start <= end <= now + 0.1 for start, end in spans)

    asyncio.run(play())
    wait_until(lambda: threading.active_count() <= threads + 1)


async def _act(room: Scene, step: str, number: int) -> None:
    acts = {
        "see": lambda: room.webcam.show(noise(number)),
        "still": lambda: room.webcam.show(noise(0)),
        "bad": lambda: room.webcam.show(None),
        "hear": lambda: room.card.record(0.1),
        "unplug": room.webcam.unplug,
        "plug": room.webcam.plug,
        "hang": room.webcam.hang,
        "mute": room.card.unplug,
        "unmute": lambda: setattr(room.card, "plugged", True),
        "rate": lambda: setattr(room.card, "rate", 64_000 - room.card.rate),
    }
    if step.startswith("pass"):
        await room.clock.advance(float(step.split()[1]))
    else:
        await room.clock.advance(0.1)
        acts[step]()
    await asyncio.sleep(0.002)
