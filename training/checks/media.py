"""Measuring what is in a stretch of a media file: all of its sound, and the first of its pictures.

Pictures are decoded for `DECODED_SECONDS` and only counted after that: damage is found where a
decoder starts, a broken-off file by its length, and decoding all of a corpus would take hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from stream.errors import UserError
from stream.sources.container import Location, OpenMedia, open_media
from training.datasets.clip import MediaCut

DECODED_SECONDS = 2.0
"""Of the pictures of each clip."""

_MICROSECONDS = 1_000_000
_MAX_BAD_READS = 64  # in a row; then the rest of the file is given up


@dataclass(frozen=True)
class Track:
    """What one track of a file has between the start and the end of a cut."""

    seconds: float
    """From the first to the end of the last packet within the cut."""
    packets: int
    """Packets within the cut."""
    decoded: int
    """Frames that were decoded."""
    damaged: int
    """Packets and frames that could not be."""
    peak: float
    """Largest sample as a share of full scale; 0 for pictures."""
    lost_seconds: float
    """How much of what the file declares is not in it; 0 for a cut that has an end."""


@dataclass(frozen=True)
class Measured:
    """Both tracks of a stretch of a file; None where the file has none."""

    audio: Track | None
    video: Track | None


def measure(cut: MediaCut, *, audio: bool, video: bool) -> Measured:
    """Read a stretch of a file.

    Args:
        cut: The stretch.
        audio: Whether its sound is wanted.
        video: Whether its pictures are.

    Raises:
        UserError: The file cannot be opened at all.
    """
    media = _open(cut.path, audio=audio, video=video)
    try:
        origin = (media.container.start_time or 0) / _MICROSECONDS
        declared = (media.container.duration or 0) / _MICROSECONDS
        meters: dict[int, _Meter] = {
            track.index: _Meter(track, cut, origin, declared)
            for track in (media.audio, media.video)
            if track is not None
        }
        _seek(media, origin + cut.start)
        _read(media, meters, cut.end)
        return Measured(*(_result(track, meters) for track in (media.audio, media.video)))
    finally:
        media.container.close()


def _open(path: Path, *, audio: bool, video: bool) -> OpenMedia:
    """Open what there is of what is wanted: `open_media` insists on sound where it is asked for."""
    location = Location.of_file(path)
    try:
        return open_media(location, audio=audio, video=video)
    except UserError:
        # A file with only the other kind of track is no damaged one: open it by that kind.
        return open_media(location, audio=not audio, video=audio)


def _result(track: AudioStream | VideoStream | None, meters: dict[int, _Meter]) -> Track | None:
    return None if track is None else meters[track.index].result()


def _seek(media: OpenMedia, seconds: float) -> None:
    """Go to the key frame before a time, if the file allows; else it is read from its start."""
    if seconds > 0:
        try:
            media.container.seek(int(seconds * _MICROSECONDS))
        except (av.error.FFmpegError, OverflowError):
            return


def _read(media: OpenMedia, meters: dict[int, _Meter], end: float | None) -> None:
    for packet in _packets(media, meters):
        # Not `packet.stream_index`: that of the end mark is 0, whichever tracks are read.
        meters[packet.stream.index].push(packet)
        if end is not None and all(meter.time >= end for meter in meters.values()):
            break
    for meter in meters.values():
        meter.flush()


def _packets(media: OpenMedia, meters: dict[int, _Meter]) -> Iterator[av.Packet[av.stream.Stream]]:
    tracks = [track for track in (media.audio, media.video) if track is not None]
    bad_reads = 0
    while bad_reads < _MAX_BAD_READS:
        try:
            for packet in media.container.demux(*tracks):
                bad_reads = 0
                yield packet
            return
        except (av.error.FFmpegError, OSError):
            bad_reads += 1
            for meter in meters.values():
                meter.damaged += 1


class _Meter:
    """Adds up the packets of one track."""

    def __init__(
        self, track: AudioStream | VideoStream, cut: MediaCut, origin: float, declared: float
    ) -> None:
        self._track, self._cut, self._origin, self._declared = track, cut, origin, declared
        self._sound = isinstance(track, AudioStream)
        self._decode_until = cut.start + DECODED_SECONDS
        self._first: float | None = None
        self._packets = self._decoded = 0
        self._peak = 0.0
        self.damaged = 0
        self.time = 0.0
        """Seconds from the start of the file at which the last packet ends."""
        if not self._sound:
            # One frame in flight: many processes do this side by side.
            track.codec_context.thread_count = 1

    def push(self, packet: av.Packet[av.stream.Stream]) -> None:
        """Take the next packet."""
        if packet.dts is None and packet.pts is None and packet.size == 0:
            return  # the demuxer's end mark; `flush` asks the decoder for the rest
        start = self._start_of(packet)
        self.time = max(self.time, start + self._duration_of(packet))
        inside = self.time > self._cut.start and (self._cut.end is None or start < self._cut.end)
        if inside:
            self._packets += 1
            self._first = start if self._first is None else min(self._first, start)
        # Pictures before the cut are what its first ones refer to.
        if inside if self._sound else start < self._decode_until:
            self._decode(packet)

    def flush(self) -> None:
        """Take what the decoder still holds."""
        self._decode(None)

    def result(self) -> Track:
        """What was measured."""
        first = max(self._first or 0.0, self._cut.start)
        end = self.time if self._cut.end is None else min(self.time, self._cut.end)
        seconds = max(0.0, end - first) if self._packets else 0.0
        return Track(seconds, self._packets, self._decoded, self.damaged, self._peak, self._lost())

    def _lost(self) -> float:
        if self._cut.end is not None:
            return 0.0
        declared = self._track.duration
        if declared is None or self._track.time_base is None:
            # Only the file says how long it is, and one track may end before another.
            return 0.0 if self._packets else self._declared
        first = self._track.start_time or 0
        ends = float((first + declared) * self._track.time_base) - self._origin
        return max(0.0, ends - self.time)

    def _start_of(self, packet: av.Packet[av.stream.Stream]) -> float:
        ticks = packet.pts if packet.pts is not None else packet.dts
        if ticks is None or packet.time_base is None:
            return self.time
        return float(ticks * packet.time_base) - self._origin

    def _duration_of(self, packet: av.Packet[av.stream.Stream]) -> float:
        if packet.duration and packet.time_base is not None:
            return float(packet.duration * packet.time_base)
        rate = getattr(self._track, "average_rate", None)
        return 1 / float(rate) if rate else 0.0

    def _decode(self, packet: av.Packet[av.stream.Stream] | None) -> None:
        if packet is not None and packet.is_corrupt:
            self.damaged += 1
            return
        try:
            for frame in self._track.codec_context.decode(packet):
                self._decoded += 1
                self.damaged += bool(frame.is_corrupt)
                if isinstance(frame, av.AudioFrame):
                    self._peak = max(self._peak, _peak(frame))
        except av.error.EOFError:
            return  # the decoder was already empty
        except (av.error.FFmpegError, ValueError, MemoryError):
            self.damaged += 1


def _peak(frame: av.AudioFrame) -> float:
    """The largest sample as a share of full scale; what is no number counts as silence."""
    samples = frame.to_ndarray()
    if samples.size == 0:
        return 0.0
    values = np.nan_to_num(samples.astype(np.float64), posinf=0.0, neginf=0.0)
    if samples.dtype == np.uint8:
        return float(np.abs(values - 128).max() / 128)
    scale = 2.0 ** (8 * samples.itemsize - 1) if samples.dtype.kind == "i" else 1.0
    return float(np.abs(values).max() / scale)
