"""Every track of one participant on one media clock.

Sans-I/O and bounded: push what arrives, cut what an utterance needs, drop what no utterance
will need again. Sound lies on a grid of samples, so a stretch that never arrived reads as
silence and costs no memory.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from operator import attrgetter, itemgetter

import numpy as np

from stream.audio import clean, sample_index
from stream.media import SAMPLE_RATE, AudioChunk, Samples, VideoFrame

_frame_time = attrgetter("time")
_chunk_start = itemgetter(0)


class Timeline:
    """The last stretch of sound and pictures of one participant.

    Args:
        max_seconds: Longest stretch kept of either track.
        max_frames: Most pictures kept.

    When a bound is passed the oldest goes first, and is counted.
    """

    def __init__(self, *, max_seconds: float = 60.0, max_frames: int = 512) -> None:
        self._max_seconds = max_seconds
        self._max_frames = max_frames
        self._chunks: list[tuple[int, Samples]] = []  # by sample index, not overlapping
        self._frames: list[VideoFrame] = []  # by time
        self._horizon = 0.0
        self._audio_end: float | None = None
        self.frames_dropped = 0
        """Pictures lost so far because a bound was passed."""
        self.audio_seconds_dropped = 0.0
        """Sound lost so far because `max_seconds` was passed."""

    @property
    def audio_end(self) -> float | None:
        """Media seconds just after the newest sample; None before the first."""
        return self._audio_end

    @property
    def video_end(self) -> float | None:
        """Media seconds of the newest picture still kept; None without one."""
        return self._frames[-1].time if self._frames else None

    @property
    def retained_samples(self) -> int:
        """How many samples are in memory."""
        return sum(len(samples) for _, samples in self._chunks)

    @property
    def retained_frames(self) -> int:
        """How many pictures are in memory."""
        return len(self._frames)

    def push(self, item: AudioChunk | VideoFrame) -> None:
        """Add a chunk or a picture.

        Samples that are already there are kept, not replaced; what is earlier than the last
        `drop` is ignored.
        """
        if isinstance(item, VideoFrame):
            self._push_frame(item)
        else:
            self._push_chunk(item)

    def cut(self, start: float, end: float) -> tuple[list[VideoFrame], Samples]:
        """The pictures and the sound of [start, end)."""
        return self.frames(start, end), self.samples(start, end)

    def frames(self, start: float, end: float) -> list[VideoFrame]:
        """The pictures shown in [start, end), in order."""
        first = bisect_left(self._frames, start, key=_frame_time)
        return self._frames[first : bisect_left(self._frames, end, key=_frame_time)]

    def frame_at(self, time: float) -> VideoFrame | None:
        """The picture on screen at `time`: the newest one that is not later."""
        after = bisect_right(self._frames, time, key=_frame_time)
        return self._frames[after - 1] if after else None

    def samples(self, start: float, end: float) -> Samples:
        """The sound of [start, end), shape (N,); zeros where none arrived."""
        first, last = sample_index(start), sample_index(end)
        sound = np.zeros(max(last - first, 0), np.float32)
        for begin, stop, samples in self._overlapping(first, last):
            low, high = max(begin, first), min(stop, last)
            sound[low - first : high - first] = samples[low - begin : high - begin]
        return sound

    def missing_seconds(self, start: float, end: float) -> float:
        """How much of [start, end) no sound arrived for."""
        first, last = sample_index(start), sample_index(end)
        present = sum(min(e, last) - max(b, first) for b, e, _ in self._overlapping(first, last))
        return max(last - first - present, 0) / SAMPLE_RATE

    def drop(self, before: float) -> None:
        """Forget everything earlier than `before`."""
        self._horizon = max(self._horizon, before)
        del self._frames[: bisect_left(self._frames, before, key=_frame_time)]
        self._drop_samples(sample_index(before))

    def drop_frames(self, before: float) -> None:
        """Forget the pictures earlier than `before`, but for the one on screen then."""
        on_screen = bisect_left(self._frames, before, key=_frame_time) - 1
        del self._frames[: max(on_screen, 0)]

    def _overlapping(self, first: int, last: int) -> list[tuple[int, int, Samples]]:
        """Chunks with a sample in [first, last), as (first sample, sample after, samples)."""
        begin = max(bisect_right(self._chunks, first, key=_chunk_start) - 1, 0)
        end = bisect_left(self._chunks, last, key=_chunk_start)
        spans = [(index, index + len(s), s) for index, s in self._chunks[begin:end]]
        return [span for span in spans if span[1] > first]

    def _push_frame(self, frame: VideoFrame) -> None:
        if frame.time < self._horizon:
            return
        insort(self._frames, frame, key=_frame_time)
        oldest = self._frames[-1].time - self._max_seconds
        excess = max(
            len(self._frames) - self._max_frames,
            bisect_left(self._frames, oldest, key=_frame_time),
        )
        if excess > 0:
            del self._frames[:excess]
            self.frames_dropped += excess

    def _push_chunk(self, chunk: AudioChunk) -> None:
        index = sample_index(chunk.time)
        earliest = sample_index(self._horizon if self._audio_end is None else self._audio_end)
        samples = clean(chunk.samples[max(earliest - index, 0) :])
        index = max(index, earliest)
        if len(samples) == 0:
            return
        self._chunks.append((index, samples))
        self._audio_end = (index + len(samples)) / SAMPLE_RATE
        oldest = index + len(samples) - round(self._max_seconds * SAMPLE_RATE)
        self.audio_seconds_dropped += self._drop_samples(oldest) / SAMPLE_RATE

    def _drop_samples(self, before: int) -> int:
        """Forget the samples before that one; says how many."""
        dropped = 0
        while self._chunks and self._chunks[0][0] < before:
            index, samples = self._chunks.pop(0)
            rest = samples[before - index :]
            dropped += len(samples) - len(rest)
            if len(rest):
                # A copy, because a view would keep the whole chunk in memory.
                self._chunks.insert(0, (before, rest.copy()))
        return dropped
