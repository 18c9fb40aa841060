"""Container in, chunks and frames out, on one clock; what is damaged is skipped and counted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import av
import av.error

from stream.errors import UserError
from stream.media import AudioChunk, VideoFrame
from stream.sources.base import MediaItem
from stream.sources.clock import TrackClock
from stream.sources.container import PIPE_STEP, Location, OpenMedia, open_media
from stream.sources.damage import DamagedError, decoding
from stream.sources.interleaving import Interleaver
from stream.sources.pictures import FrameLimiter, Upright
from stream.sources.pyav import packets_of
from stream.sources.sound import MonoResampler
from stream.sources.stillness import FROZEN_SECONDS, StillFilter

_log = logging.getLogger(__name__)

_Item = TypeVar("_Item", AudioChunk, VideoFrame)

_MICROSECONDS = 1_000_000
_MAX_BAD_READS = 64  # in a row; then the rest of the container is given up
_UNDECODED_SECONDS = 5.0  # of a live stream, on all tracks, after some of it was decoded


class MediaReader:
    """Reads one container. It blocks, and one thread at a time may use it.

    Args:
        location: Where the container is.
        audio: Whether to read sound; a container without it is then refused.
        video: Whether to read pictures, if there are any.
        wanted: Asked before each packet whether to go on; the answer may come from any thread.

    Raises:
        UserError: The container cannot be read, or lacks sound.
    """

    def __init__(
        self,
        location: Location,
        *,
        audio: bool = True,
        video: bool = True,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._location, self._wanted = location, wanted
        self._media: OpenMedia = open_media(location, audio=audio, video=video)
        self.has_audio = self._media.audio is not None
        """Whether it gives sound."""
        self.has_video = self._media.video is not None
        """Whether it gives pictures."""
        self._damaged = 0
        self._told = False  # that timestamps are wrong
        origin = (self._media.container.start_time or 0) / _MICROSECONDS
        self._audio_clock: TrackClock[av.AudioFrame] = TrackClock(origin)
        self._video_clock: TrackClock[av.VideoFrame] = TrackClock(origin)
        if self.has_audio and self.has_video:
            self._audio_clock.join(self._video_clock)
        self._undecoded: dict[int, float] | None = None
        self._resampler = MonoResampler()
        self._limiter = FrameLimiter()
        self._upright = Upright()
        self._still, self._interleaver = self._arrangement()

    @property
    def still(self) -> bool:
        """Whether the pictures that come stand still, so that they are not given."""
        return self._still is not None and self._still.still

    @property
    def skipped_packets(self) -> int:
        """Packets and frames so far that could not be decoded, or whose time was wrong."""
        return self._damaged + self._audio_clock.wrong + self._video_clock.wrong

    def close(self) -> None:
        """Close the container."""
        self._media.container.close()

    def seek(self, time: float) -> bool:
        """Go on from the last key frame before a moment; only before anything was read.

        Args:
            time: Media seconds.

        Returns:
            Whether the container could; where its index is wrong it lands elsewhere, so
            look at the time of what comes.
        """
        container = self._media.container
        try:
            container.seek((container.start_time or 0) + round(time * _MICROSECONDS))
        except (av.error.FFmpegError, OSError):
            return False
        for clock in (self._audio_clock, self._video_clock):
            clock.skip(time)
        return True

    def __iter__(self) -> Iterator[MediaItem]:
        """Chunks and frames in the order in which they are stored.

        Raises:
            UserError: A live stream broke off.
        """
        for packet in self._packets():
            self._expect(packet)
            frames = self._decode(packet)
            if self._location.live:
                self._notice(packet, frames)
            for frame in frames:
                yield from self._items(frame)
            self._tell_wrong_times()
        for picture, time in self._video_clock.flush():
            yield from self._pictures(picture, time)
        for sound, time in self._audio_clock.flush():
            yield from self._chunks(sound, time)
        for chunk in self._undamaged(self._resampler.flush()):
            yield from self._in_order(chunk)
        for frame in self._still.flush() if self._still is not None else ():
            yield from self._in_order(frame)
        if self._interleaver is not None:
            yield from self._interleaver.flush()

    def _tell_wrong_times(self) -> None:
        if not self._told and self._audio_clock.wrong + self._video_clock.wrong:
            self._told = True
            _log.warning("timestamps of %s are wrong here and there", self._location.shown)

    def _arrangement(self) -> tuple[StillFilter | None, Interleaver | None]:
        """What is done with pictures that go with sound; alone they are given as they are."""
        if not (self.has_audio and self.has_video):
            return None, None
        if self._location.live:
            return StillFilter(FROZEN_SECONDS, hold=False), None
        return StillFilter(), Interleaver(self._interval)

    @property
    def _interval(self) -> float:
        """Seconds between two pictures, as the container says."""
        assert self._media.video is not None
        rate = self._media.video.average_rate
        return 1 / float(rate) if rate else 0.04

    def _expect(self, packet: av.Packet[av.stream.Stream]) -> None:
        if self._interleaver is None or packet.stream is not self._media.video:
            return
        if packet.pts is not None and packet.time_base:
            timestamp = float(packet.pts * packet.time_base)
            self._interleaver.coming(self._video_clock.time_of(timestamp))

    def _in_order(self, item: MediaItem) -> Iterator[MediaItem]:
        yield from [item] if self._interleaver is None else self._interleaver.push(item)

    def _decode(self, packet: av.Packet[av.stream.Stream]) -> Sequence[object]:
        try:
            if not packet.is_corrupt:
                with decoding():
                    return packet.decode()
        except DamagedError as error:
            if isinstance(error.__cause__, av.error.EOFError):
                return ()  # the decoder was already empty
        self._damaged += 1
        return ()

    def _notice(self, packet: av.Packet[av.stream.Stream], frames: Sequence[object]) -> None:
        """Notice that nothing can be decoded any more; waiting for a first key frame is fine."""
        if frames:
            self._undecoded = {}
        elif self._undecoded is not None and packet.dts is not None and packet.time_base:
            time = float(packet.dts * packet.time_base)
            if time - self._undecoded.setdefault(packet.stream_index, time) > _UNDECODED_SECONDS:
                raise UserError(f"{self._location.shown} sends what cannot be decoded")

    def _packets(self) -> Iterator[av.Packet[av.stream.Stream]]:
        tracks = [track for track in (self._media.audio, self._media.video) if track is not None]
        bad_reads, read_any = 0, False
        while bad_reads < _MAX_BAD_READS:
            try:
                for packet in packets_of(self._media.container, tracks):
                    if not self._wanted():
                        return
                    bad_reads, read_any = 0, True
                    yield packet
                return
            except (av.error.FFmpegError, OSError) as error:
                if self._location.live:
                    raise UserError(
                        f"{self._location.shown} stopped sending; check the camera or server"
                    ) from error
                bad_reads += 1
                self._damaged += 1
        if self._location.source is not None and not read_any:
            raise UserError(f"{self._location.shown} cannot be wound back: {PIPE_STEP}")
        _log.warning("gave up the rest of %s: too much of it is damaged", self._location.shown)

    def _items(self, frame: object) -> Iterator[MediaItem]:
        if isinstance(frame, av.AudioFrame):
            duration = frame.samples / frame.sample_rate if frame.sample_rate else 0.0
            for sound, time in self._audio_clock.push(frame, _timestamp(frame), duration):
                yield from self._chunks(sound, time)
        elif isinstance(frame, av.VideoFrame):
            placed = self._video_clock.push(frame, _timestamp(frame), self._interval)
            for picture, time in placed:
                yield from self._pictures(picture, time)

    def _chunks(self, frame: av.AudioFrame, time: float) -> Iterator[MediaItem]:
        for chunk in self._undamaged(self._resampler.push(frame, time)):
            yield from self._in_order(chunk)

    def _pictures(self, frame: av.VideoFrame, time: float) -> Iterator[MediaItem]:
        time = max(0.0, time)
        if frame.is_corrupt:
            self._damaged += 1
        elif self._limiter.passes(time):
            for picture in self._undamaged(self._picture(frame, time)):
                for moving in [picture] if self._still is None else self._still.push(picture):
                    yield from self._in_order(moving)
        if self._interleaver is not None:
            self._interleaver.decoded(time, self._still.holds_since if self._still else None)
            yield from self._interleaver.take()

    def _picture(self, frame: av.VideoFrame, time: float) -> Iterator[VideoFrame]:
        assert self._media.video is not None
        aspect = float(self._media.video.sample_aspect_ratio or 1)
        yield VideoFrame(time, self._upright(frame, aspect))

    def _undamaged(self, items: Iterator[_Item]) -> Iterator[_Item]:
        """The items, up to where something cannot be converted, which is counted."""
        try:
            yield from items
        except DamagedError:
            self._damaged += 1


def _timestamp(frame: av.AudioFrame | av.VideoFrame) -> float | None:
    ticks = frame.pts if frame.pts is not None else frame.dts
    return None if ticks is None or frame.time_base is None else float(ticks * frame.time_base)
