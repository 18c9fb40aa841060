"""A clip that plays over and over at real pace, as a live participant."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from stream.cutter import UtteranceCutter
from stream.media import SAMPLE_RATE, AudioChunk, VideoFrame
from stream.segmenter import Boundary
from stream.sources import MediaItem, open_source
from stream.vad import WINDOW_SAMPLES

MARGIN_SECONDS = 0.3
"""Sound around an utterance that is kept where others are muted."""
FRAME_SECONDS = 0.04
"""Between the rounds of a clip."""


class LoopedClip:
    """A clip over and over at real pace, as if a live participant were there.

    Args:
        path: Of the clip.
        participant: Who it is.
        seconds: How long to play.
        speech: Utterances of the clip.
        share: Only every so-manieth of them is heard, the rest is silence.
        offset: Of which one is the first that is heard, and seconds to begin in the clip.
        pace: `real`, or `max` for a soak, where nothing is dropped.
    """

    name = "clip"
    has_audio = has_video = True
    skipped_packets = restarts = 0
    trouble = ()

    def __init__(
        self,
        path: Path,
        participant: str,
        seconds: float,
        speech: Sequence[Boundary],
        share: int = 1,
        offset: int = 0,
        pace: str = "real",
    ) -> None:
        self.participant, self.live = participant, pace == "real"
        self._path, self._seconds = path, seconds
        self._speech, self._share, self._offset = speech, share, offset
        self._stopped = False

    async def __aenter__(self) -> Self:
        """The clip is opened anew each time it is played."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""

    def stop(self) -> None:
        """End after the item under way."""
        self._stopped = True

    async def __aiter__(self) -> AsyncIterator[MediaItem]:
        """Chunks and frames, the time going on from one round to the next.

        Files store sound and pictures in turns of up to a second; a live participant does not
        send them so. Here each comes when it is over.
        """
        if self.live:  # so that not all begin in the same moment
            await asyncio.sleep(1.7 * self._offset)
        started = time.monotonic()
        async for item in self._items():
            if self.live:
                over = item.end if isinstance(item, AudioChunk) else item.time
                await asyncio.sleep(max(0.0, started + over - time.monotonic()))
            yield item

    async def _items(self) -> AsyncIterator[MediaItem]:
        """The sound up to a picture before it."""
        sound = await read_sound(self._path)
        begin, number = 0.0, self._offset
        while begin < self._seconds and not self._stopped:
            waiting, last = list(reversed(sound)), begin
            async with open_source(self._path, pace="max", audio=False) as source:
                async for frame in source:
                    last = begin + frame.time
                    if last >= self._seconds or self._stopped:
                        return
                    while waiting and waiting[-1].end <= frame.time:
                        yield self._moved(waiting.pop(), begin, number)
                    yield self._moved(frame, begin, number)
            begin = last + FRAME_SECONDS
            number += len(self._speech)

    def _moved(self, item: MediaItem, begin: float, first: int) -> MediaItem:
        """In its round, silent where another utterance is heard."""
        muted = self._muted(item, item.time, first)
        return dataclasses.replace(muted, time=begin + item.time)

    def _muted(self, item: MediaItem, time: float, first: int) -> MediaItem:
        if isinstance(item, VideoFrame) or self._share == 1:
            return item
        for index, one in enumerate(self._speech):
            if one.start - MARGIN_SECONDS <= time <= one.end + MARGIN_SECONDS:
                if (first + index) % self._share == 0:
                    return item
        return AudioChunk(item.time, np.zeros_like(item.samples))


async def read_sound(path: Path) -> list[AudioChunk]:
    """The sound of a clip in chunks of 32 ms."""
    async with open_source(path, pace="max", video=False) as source:
        chunks = [item async for item in source if isinstance(item, AudioChunk)]
    return [
        AudioChunk(chunk.time + first / SAMPLE_RATE, chunk.samples[first : first + WINDOW_SAMPLES])
        for chunk in chunks
        for first in range(0, len(chunk.samples), WINDOW_SAMPLES)
    ]


async def find_speech(clip: Path, cutter: UtteranceCutter) -> list[Boundary]:
    """The utterances of a clip."""
    async with open_source(clip, pace="max", video=False) as source:
        ended = [one async for item in source for one in cutter.push(item)]
    return [Boundary(one.start, one.end) for one in (*ended, *cutter.flush())]
