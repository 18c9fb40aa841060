"""What a peer sends, from tracks in memory; tests/engine/web has real peers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.stats import RTCStatsReport
from hypothesis import given
from hypothesis import strategies as st
from media_factory import grey, tone

from stream.media import SAMPLE_RATE, AudioChunk, VideoFrame
from stream.sources.base import MediaItem
from stream.sources.webrtc import LEEWAY_SECONDS, TrackClock, WebRtcSource

_WAIT_SECONDS = 60.0  # only a test that fails waits this long
_FRAME_SECONDS = 0.02

Frame = av.AudioFrame | av.VideoFrame


class Clock:
    """A clock that the tracks move, and once they give no more, whoever sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.tracks = 0
        """Those that still give."""

    def __call__(self) -> float:
        """Seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Wait until that time has passed."""
        until = self.now + seconds
        for _ in range(1_000_000):
            await asyncio.sleep(0)
            if self.now >= until or not self.tracks:
                break
        self.now = max(self.now, until)


class Track(MediaStreamTrack):
    """Gives frames, each when the clock shows its time, and then ends or falls silent."""

    def __init__(
        self, kind: str, clock: Clock, frames: Iterable[tuple[float, Frame]], *, ends: bool = True
    ) -> None:
        super().__init__()
        self.kind, self._clock, self._frames, self._ends = kind, clock, iter(frames), ends
        self.given = 0
        clock.tracks += 1

    async def recv(self) -> Frame:
        """The next frame."""
        await asyncio.sleep(0)
        for time, frame in self._frames:
            self._clock.now = max(self._clock.now, 100.0 + time)
            self.given += 1
            return frame
        self._clock.tracks -= 1
        if self._ends:
            raise MediaStreamError
        forever: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        return await forever


class Peer:
    """A connected peer whose tracks are in memory."""

    def __init__(self, *tracks: Track) -> None:
        self.connectionState = "connected"
        self._tracks = tracks

    def getTransceivers(self) -> list[Any]:  # noqa: N802 - the names are those of WebRTC
        """One for each track, and one that only sends."""
        receivers = [SimpleNamespace(track=track) for track in (*self._tracks, None)]
        return [SimpleNamespace(receiver=receiver) for receiver in receivers]

    async def getStats(self) -> RTCStatsReport:  # noqa: N802
        """Nothing is known."""
        return RTCStatsReport()

    async def close(self) -> None:
        """Hang up."""
        self.connectionState = "closed"


def _sound(
    seconds: float, rate: int = 48_000, start: float = 0.0, stamp: float = 0.0
) -> list[tuple[float, Frame]]:
    """A tone in frames of 20 ms that arrive from `start` on, and say that it began at `stamp`."""
    size = round(rate * _FRAME_SECONDS)
    frames: list[tuple[float, Frame]] = []
    for number, first in enumerate(range(0, round(seconds * rate), size)):
        block = tone(seconds, rate)[None, first : first + size]
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout="mono")
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(stamp * rate) + first
        frames.append((start + number * _FRAME_SECONDS, frame))
    return frames


def _pictures(
    seconds: float, fps: float = 30.0, width: int = 64, height: int = 48
) -> list[tuple[float, Frame]]:
    """Red pictures."""
    image = grey(0, width, height)
    image[..., 0] = 250
    frames: list[tuple[float, Frame]] = []
    for number in range(round(seconds * fps)):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = round(number / fps * 90_000), Fraction(1, 90_000)
        frames.append((number / fps, frame))
    return frames


def _source(peer: Peer, clock: Clock, **options: Any) -> WebRtcSource:
    untyped: Any = peer
    return WebRtcSource(untyped, clock=clock, sleep=clock.sleep, **options)


async def _read(source: WebRtcSource) -> list[MediaItem]:
    async with asyncio.timeout(_WAIT_SECONDS), source:
        return [item async for item in source]


def _chunks(items: list[MediaItem]) -> list[AudioChunk]:
    return [item for item in items if isinstance(item, AudioChunk)]


async def test_sound_becomes_16_khz_mono_without_a_gap() -> None:
    """All that was sent comes, in order, from when it arrived."""
    clock = Clock()
    source = _source(Peer(Track("audio", clock, _sound(2.0, start=0.5))), clock, name="Room 1")
    assert (source.live, source.has_audio, source.has_video) == (True, True, False)
    assert (source.name, source.participant) == ("room-1", "speaker-1")
    chunks = _chunks(await _read(source))
    assert chunks[0].time == pytest.approx(0.5, abs=0.01)
    assert all(b.time == pytest.approx(a.end) for a, b in itertools.pairwise(chunks))
    assert sum(len(chunk.samples) for chunk in chunks) == pytest.approx(2 * SAMPLE_RATE, abs=20)
    assert source.skipped_packets == 0


async def test_another_sample_rate_in_the_middle_is_only_another_rate() -> None:
    """A sender may change its codec at any time; nothing is lost and the pitch stays."""
    clock = Clock()
    frames = [*_sound(1.0), *_sound(1.0, 8_000, start=1.0, stamp=1.0)]
    chunks = _chunks(await _read(_source(Peer(Track("audio", clock, frames)), clock)))
    sound = np.concatenate([chunk.samples for chunk in chunks])
    assert len(sound) == pytest.approx(2 * SAMPLE_RATE, abs=200)
    for second in np.split(sound[: 2 * SAMPLE_RATE - 200], [SAMPLE_RATE]):
        loudest = int(np.argmax(np.abs(np.fft.rfft(second[:8_000])))) * SAMPLE_RATE / 8_000
        assert loudest == pytest.approx(440, abs=4)


@pytest.mark.parametrize("jump", [30.0, -30.0])
async def test_a_jump_of_the_senders_clock_does_not_move_ours(jump: float) -> None:
    """After it, time is where the clock by which frames arrive says it is."""
    clock = Clock()
    frames = [*_sound(1.0, stamp=100.0), *_sound(1.0, start=1.0, stamp=101.0 + jump)]
    chunks = _chunks(await _read(_source(Peer(Track("audio", clock, frames)), clock)))
    assert chunks[-1].end == pytest.approx(2.0, abs=0.05)
    times = [chunk.time for chunk in chunks]
    assert times == sorted(times)


async def test_pictures_are_rgb_thinned_and_bounded_in_size() -> None:
    """The same bounds hold as for files and cameras."""
    clock = Clock()
    peer = Peer(Track("video", clock, _pictures(1.0, 60.0, 1920, 1080)))
    source = _source(peer, clock, idle_seconds=1e9)
    frames = [item for item in await _read(source) if isinstance(item, VideoFrame)]
    assert frames
    # These come faster than any machine converts them: what it has no time for is counted.
    assert len(frames) + source.skipped_packets == pytest.approx(15, abs=1)
    assert frames[0].image.shape == (360, 640, 3)
    assert frames[0].image[10, 10, 0] > 200 > 50 > frames[0].image[10, 10, 2]
    times = [frame.time for frame in frames]
    assert times == sorted(times)


async def test_sound_goes_on_when_the_pictures_end() -> None:
    """Ending one track is not leaving."""
    clock = Clock()
    peer = Peer(Track("video", clock, _pictures(0.1)), Track("audio", clock, _sound(2.0)))
    source = _source(peer, clock)
    assert (source.trouble, source.restarts) == ((), 0)
    assert _chunks(await _read(source))[-1].end == pytest.approx(2.0, abs=0.05)
    assert source.trouble == ("camera ended", "microphone ended")
    assert peer.connectionState == "closed"


async def test_tracks_that_nobody_wants_are_emptied() -> None:
    """A second camera is not seen, but its frames do not pile up either."""
    clock = Clock()
    second = Track("audio", clock, _sound(1.0))
    chunks = _chunks(await _read(_source(Peer(Track("audio", clock, _sound(1.0)), second), clock)))
    assert second.given == 50
    assert chunks[-1].end == pytest.approx(1.0, abs=0.05)


async def test_a_frame_that_cannot_be_used_is_counted() -> None:
    """Neither a frame without a time nor one without a size ends the track."""
    clock = Clock()
    frames = _sound(1.0)
    timeless = av.AudioFrame(format="flt", layout="mono", samples=960)
    timeless.sample_rate = 48_000
    frames.insert(25, (0.5, timeless))
    source = _source(Peer(Track("audio", clock, frames)), clock)
    chunks = _chunks(await _read(source))
    assert source.skipped_packets == 1
    assert chunks[-1].end == pytest.approx(1.0, abs=0.05)


async def test_silence_on_the_line_ends_it() -> None:
    """A peer that vanished sends nothing, not even reports; that is leaving, not an error."""
    clock = Clock()
    source = _source(Peer(Track("audio", clock, _sound(1.0), ends=False)), clock, idle_seconds=15.0)
    assert _chunks(await _read(source))
    assert clock.now >= 115.0


async def test_waiting_for_the_connection_is_not_silence() -> None:
    """How long connecting may take is for the server to say."""
    clock = Clock()
    peer = Peer(Track("audio", clock, [], ends=False))
    peer.connectionState = "connecting"
    async with _source(peer, clock) as source:
        reading = asyncio.create_task(anext(aiter(source), None))
        for _ in range(1_000):
            await asyncio.sleep(0)
        assert clock.now > 200
        assert not reading.done()
        peer.connectionState = "failed"
        async with asyncio.timeout(_WAIT_SECONDS):
            assert await reading is None


@pytest.mark.parametrize("early", [True, False])
async def test_stop_ends_it(early: bool) -> None:
    """At any time, also before it is open."""
    clock = Clock()
    source = _source(Peer(Track("audio", clock, [], ends=False)), clock, idle_seconds=1e9)
    if early:
        source.stop()
    async with source:
        source.stop()
        assert [item async for item in source] == []


async def test_it_says_when_it_is_open() -> None:
    """A server answers only then; and who reads it before is told what to do."""
    clock = Clock()
    opened: list[bool] = []
    source = _source(Peer(), clock, on_open=lambda: opened.append(True))
    with pytest.raises(RuntimeError, match="open the source first"):
        await anext(aiter(source))
    assert not opened
    assert await _read(source) == []
    assert opened == [True]


_steps = st.lists(
    st.tuples(
        st.floats(-100, 100), st.floats(0, 3) | st.just(0.02), st.sampled_from([0.0, 0.02, 0.5])
    ),
    max_size=60,
)


@given(_steps, _steps)
def test_time_never_goes_backwards_nor_runs_ahead(
    sound: list[tuple[float, float, float]], pictures: list[tuple[float, float, float]]
) -> None:
    """Whatever timestamps a sender writes, and however they arrive."""
    leader = TrackClock()
    for clock, steps in ((leader, sound), (TrackClock(leader), pictures)):
        timestamp = arrival = free_from = 0.0
        for step, wait, duration in steps:
            timestamp, arrival = timestamp + step, arrival + wait
            time = clock.place(timestamp, arrival, duration)
            if time is not None:
                assert free_from <= time <= arrival + LEEWAY_SECONDS
                free_from = time + duration


def test_a_track_follows_its_own_timestamps_and_not_the_jitter() -> None:
    """Frames that arrive late or in bursts keep their distance."""
    clock = TrackClock()
    late = [0.0, 0.3, 0.0, 0.9, 0.5]
    times = [clock.place(7 + n / 10, 5 + n / 10 + delay) for n, delay in enumerate(late)]
    assert times == pytest.approx([5.0, 5.1, 5.2, 5.3, 5.4])


def test_after_a_pause_a_track_is_anchored_anew() -> None:
    """Whether its timestamps stood still meanwhile or went anywhere else."""
    clock = TrackClock()
    assert clock.place(0.0, 1.0) == 1.0
    for step in range(20):
        time = clock.place(0.1 + step / 10, 60.0 + step / 10)
    assert time == pytest.approx(61.9)
    assert clock.place(500.0, 62.0) == pytest.approx(62.0)


def test_what_comes_late_in_one_burst_keeps_its_time() -> None:
    """The loop was held up for three seconds: no sound is lost, and there is no gap."""
    clock = TrackClock()
    arrivals = [min(n / 50, 1.0) if n <= 50 else max(4.0, n / 50) for n in range(300)]
    times = [clock.place(n / 50, arrival, 0.02) for n, arrival in enumerate(arrivals)]
    assert times == pytest.approx([n / 50 for n in range(300)])


def test_a_slow_first_picture_does_not_put_all_others_late() -> None:
    """Pictures stay in step with the sound, whichever of the two began late."""
    sound = TrackClock()
    pictures = TrackClock(leader=sound)
    assert sound.place(0.0, 0.2) == pytest.approx(0.2)  # 0.2 s late
    assert pictures.place(0.0, 0.4) == pytest.approx(0.4)  # 0.4 s late
    placed = [(sound.place(n / 10, n / 10), pictures.place(n / 10, n / 10)) for n in range(5, 9)]
    assert all(heard == pytest.approx(seen) for heard, seen in placed)
