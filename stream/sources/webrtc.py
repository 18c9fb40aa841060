"""A peer of WebRTC: what it sends, from when it is connected until it leaves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import av
from aiortc import RTCPeerConnection
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.stats import RTCInboundRtpStreamStats, RTCTransportStats

from stream.media import AudioChunk, VideoFrame
from stream.sources.base import DEFAULT_PARTICIPANT, MediaItem, source_name
from stream.sources.buffered import BufferedSource
from stream.sources.damage import DamagedError
from stream.sources.pictures import MAX_FPS, FrameLimiter, Upright
from stream.sources.sound import MonoResampler
from stream.sources.stillness import FROZEN_SECONDS, STILL, StillFilter

_log = logging.getLogger(__name__)

IDLE_SECONDS = 15.0
"""How long a connected peer may send nothing at all before it is taken to be gone."""
LEEWAY_SECONDS = 1.0
"""How far a track's own timestamps may depart from when its frames arrive."""

_BURST_SECONDS = 0.25
_POLL_SECONDS = 1.0
_FAIL_SECONDS = 2.0
_GONE = ("closed", "failed")


class TrackClock:
    """Timestamps of one track as seconds of the clock by which its frames arrive.

    A track follows its own timestamps, which have no jitter, from where its first frame
    arrived. Where they depart from arrival by more than `LEEWAY_SECONDS` (the sender's clock
    jumped, or it paused), the track is anchored anew; but not for frames that come late in one
    burst, because the network or we were held up. Time never goes backwards, and is never
    further ahead of arrival than that.

    WebRTC relates the timestamps of two tracks in RTCP sender reports (RFC 3550, 6.4.1), which
    aiortc keeps to itself. So the frame that took the least time to arrive is what relates
    them here: the first picture, which is the slowest to encode, would put all others late.

    Args:
        leader: The clock of the track that this one is to stay in step with.
    """

    def __init__(self, leader: TrackClock | None = None) -> None:
        self._leader = leader
        self._offset = self._least = 0.0
        self._anchored = False
        self._late_since: float | None = None
        self._next = 0.0

    @property
    def lateness(self) -> float:
        """Seconds by which this track is placed later than its fastest frames would be."""
        return self._offset - self._least

    def place(self, timestamp: float, arrival: float, duration: float = 0.0) -> float | None:
        """Seconds of the next frame, or None if it comes faster than time goes by.

        Args:
            timestamp: Seconds, as the sender says.
            arrival: Seconds, on our clock, never going back.
            duration: Seconds that the next frame must leave room for.
        """
        delay = arrival - timestamp
        if not self._anchored or self._departed(delay - self._offset, arrival):
            self._anchored, self._offset, self._least = True, delay, delay
            self._late_since = None
        self._least = min(self._least, delay)
        if self._leader is not None:
            self._offset = self._least + self._leader.lateness
        time = max(timestamp + self._offset, self._next)
        if time > arrival + LEEWAY_SECONDS:
            return None
        if self._leader is None:
            self._offset = time - timestamp  # what follows joins on, also where this was moved
        self._next = time + duration
        return time

    def _departed(self, late: float, arrival: float) -> bool:
        """Whether a frame's time and its arrival do not belong together any more."""
        if late <= LEEWAY_SECONDS:
            self._late_since = None
            return late < -LEEWAY_SECONDS
        if self._late_since is None:
            self._late_since = arrival
        return arrival - self._late_since > _BURST_SECONDS


class _Converter:
    """Turns pictures to RGB in a thread; one that comes while it is busy is given up.

    Waiting instead would let them pile up in aiortc, whose queues have no bound.
    """

    def __init__(self, put: Callable[[MediaItem], None], still: StillFilter | None) -> None:
        self._put, self._still = put, still
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="webrtc-pictures")
        self._upright = Upright()
        self._work: Future[None] | None = None
        self.late = 0
        """Pictures given up."""
        self.damaged = 0
        """Pictures that could not be converted."""

    def offer(self, frame: av.VideoFrame, time: float) -> None:
        if self._work is None or self._work.done():
            self._work = self._thread.submit(self._convert, frame, time)
        else:
            self.late += 1

    async def finish(self) -> None:
        if self._work is not None:
            await asyncio.wrap_future(self._work)

    def close(self) -> None:
        self._thread.shutdown(wait=False)

    def _convert(self, frame: av.VideoFrame, time: float) -> None:
        try:
            picture = VideoFrame(time, self._upright(frame))
            for moving in [picture] if self._still is None else self._still.push(picture):
                self._put(moving)
        except DamagedError:
            self.damaged += 1


async def hang_up(peer: RTCPeerConnection) -> None:
    """Close a connection in whatever state it is.

    What aiortc 1.16 closes while it connects may go on connecting: a decoder's thread and the
    question for consent (RFC 7675) then stay for ever. So that is made to fail first.
    """
    if peer.connectionState == "connecting":
        settled = asyncio.Event()
        peer.on("connectionstatechange", settled.set)
        for transceiver in peer.getTransceivers():
            await transceiver.receiver.transport.transport._connection.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(settled.wait(), _FAIL_SECONDS)
    await peer.close()


class WebRtcSource(BufferedSource):
    """What a peer sends: its first track of sound and its first of pictures.

    The source takes over a peer connection that is negotiated and not yet connected, and
    closes it in the end. It ends without an error when the peer leaves: the connection is
    closed or lost, all its tracks have ended, or nothing came for `idle_seconds`.

    Pictures are upright as they come: the orientation of phones (`urn:3gpp:video-orientation`)
    is not negotiated by aiortc, so the sender turns them.

    Args:
        peer: The connection.
        name: Name for topics and logs.
        participant: Pseudonymous id of who is seen and heard.
        max_fps: Pictures per second that are converted at most.
        idle_seconds: See `IDLE_SECONDS`; counts only while connected.
        on_open: Called when it is open, so when it takes what comes.
        clock: Seconds, never going back.
        sleep: Waits before it is seen again whether the peer is still there.
    """

    live = True
    restarts = 0  # a peer that comes back is another session

    def __init__(
        self,
        peer: RTCPeerConnection,
        *,
        name: str = "webrtc",
        participant: str = DEFAULT_PARTICIPANT,
        max_fps: float = MAX_FPS,
        idle_seconds: float = IDLE_SECONDS,
        on_open: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.name = source_name(name)
        self.participant = participant
        self._peer, self._max_fps, self._idle_seconds = peer, max_fps, idle_seconds
        self._on_open, self._clock, self._sleep = on_open, clock, sleep
        receivers = (transceiver.receiver for transceiver in peer.getTransceivers())
        self._tracks = [receiver.track for receiver in receivers if receiver.track is not None]
        kinds = {track.kind for track in self._tracks}
        self.has_audio = "audio" in kinds
        self.has_video = "video" in kinds
        both = self.has_audio and self.has_video
        self._still = StillFilter(FROZEN_SECONDS, hold=False) if both else None
        self._started = 0.0
        super().__init__()
        self._damaged = self._lost = 0
        self._ended: list[str] = []
        self._converter: _Converter | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def skipped_packets(self) -> int:
        """Packets that were lost on the way, and frames that were damaged or came too fast.

        What aiortc cannot decode it only logs; its packets count if they were lost.
        """
        pictures = self._converter.late + self._converter.damaged if self._converter else 0
        dropped = self._dropped
        return self._lost + self._damaged + pictures + dropped

    @property
    def trouble(self) -> tuple[str, ...]:
        """What is wrong: `camera ended`, `microphone ended`, `pictures stand still`."""
        still = self._still is not None and self._still.still
        return (*self._ended, *((STILL,) if still else ()))

    async def __aenter__(self) -> Self:
        """Start to take what comes."""
        self._started = self._clock()
        self._begin()
        self._converter = _Converter(self._put, self._still)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._watch())]
        self._on_open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.stop()
        for task in self._tasks:
            task.cancel()
        # Shielded: a close that is cancelled half-way would make every later one wait forever.
        await asyncio.shield(asyncio.ensure_future(hang_up(self._peer)))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._converter is not None:
            self._converter.close()

    async def _read(self) -> None:
        """Read every track until all have ended, those that nobody wants too."""
        sound = TrackClock()
        readers = {
            "audio": lambda track: self._hear(track, sound),
            "video": lambda track: self._see(track, TrackClock(leader=sound)),
        }
        try:
            async with asyncio.TaskGroup() as tasks:
                for track in self._tracks:
                    tasks.create_task(readers.pop(track.kind, _discard)(track))
        except Exception:
            _log.exception("reading %s failed", self.name)
        finally:
            self.stop()

    async def _hear(self, track: MediaStreamTrack, clock: TrackClock) -> None:
        resampler = MonoResampler()
        while isinstance(frame := await _next_frame(track), av.AudioFrame):
            duration = frame.samples / frame.sample_rate if frame.sample_rate else 0.0
            time = self._place(frame, clock, duration)
            if time is not None:
                self._put_all(resampler.push(frame, time))
        self._put_all(resampler.flush())
        self._ended.append("microphone ended")

    async def _see(self, track: MediaStreamTrack, clock: TrackClock) -> None:
        assert self._converter is not None
        limiter = FrameLimiter(self._max_fps)
        while isinstance(frame := await _next_frame(track), av.VideoFrame):
            time = self._place(frame, clock)
            if time is not None and limiter.passes(time):
                self._converter.offer(frame, time)
        await self._converter.finish()
        self._ended.append("camera ended")

    def _place(
        self, frame: av.AudioFrame | av.VideoFrame, clock: TrackClock, duration: float = 0.0
    ) -> float | None:
        """Media seconds of a frame; None, and counted, where it cannot be used."""
        time = None
        if frame.time is not None and not frame.is_corrupt:
            time = clock.place(frame.time, self._clock() - self._started, duration)
        self._damaged += time is None
        return time

    def _put_all(self, chunks: Iterable[AudioChunk]) -> None:
        try:
            for chunk in chunks:
                self._put(chunk)
        except DamagedError:
            self._damaged += 1

    async def _watch(self) -> None:
        """End when the peer is gone, also where its tracks never began or never end."""
        received, since = -1, self._clock()
        poll_seconds = min(_POLL_SECONDS, self._idle_seconds / 4)
        while self._peer.connectionState not in _GONE:
            packets = await self._count_packets()
            if packets != received or self._peer.connectionState != "connected":
                received, since = packets, self._clock()
            elif self._clock() - since >= self._idle_seconds:
                _log.info("nothing came from %s for %.0f s", self.name, self._idle_seconds)
                break
            await self._sleep(poll_seconds)
        else:
            await self._sleep(poll_seconds)  # tracks that had begun give what they still hold
        self.stop()

    async def _count_packets(self) -> int:
        """Packets received so far, of any kind; those that were lost are noted."""
        report = (await self._peer.getStats()).values()
        lost = (
            stats.packetsLost for stats in report if isinstance(stats, RTCInboundRtpStreamStats)
        )
        self._lost = max(self._lost, sum(lost))
        return sum(
            stats.packetsReceived for stats in report if isinstance(stats, RTCTransportStats)
        )


async def _next_frame(track: MediaStreamTrack) -> object:
    """The next frame, or None at the end of the track."""
    try:
        return await track.recv()
    except MediaStreamError:
        return None


async def _discard(track: MediaStreamTrack) -> None:
    """Empty the queue of a track, which has no bound, until the track ends."""
    while await _next_frame(track) is not None:
        pass
