"""From capturing threads to the event loop."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
from media_factory import frames_at

from stream.media import SAMPLE_RATE, AudioChunk, VideoFrame
from stream.sources.buffer import CaptureBuffer


def _second(time: float) -> AudioChunk:
    return AudioChunk(time, np.zeros(SAMPLE_RATE, np.float32))


async def test_what_a_thread_puts_the_loop_takes_in_order() -> None:
    """Nothing is lost on the way, and the end is seen."""
    buffer = CaptureBuffer(max_frames=1000)
    frames = frames_at(n / 100 for n in range(500))

    def capture() -> None:
        for frame in frames:
            buffer.put(frame)
        buffer.close()

    thread = threading.Thread(target=capture)
    thread.start()
    taken = []
    while items := await buffer.take():
        taken += items
    thread.join()
    assert taken == frames
    assert buffer.dropped == 0


async def test_a_stalled_reader_loses_the_oldest_pictures_but_no_sound() -> None:
    """Sound is kept far longer than pictures, and every loss is counted."""
    buffer = CaptureBuffer(max_frames=3, max_audio_seconds=10)
    for time, frame in enumerate(frames_at(range(8))):
        buffer.put(_second(time))
        buffer.put(frame)
    items = await buffer.take()
    assert [item.time for item in items if isinstance(item, VideoFrame)] == [5, 6, 7]
    assert [item.time for item in items if isinstance(item, AudioChunk)] == list(range(8))
    assert buffer.dropped == 5


async def test_sound_is_bounded_too() -> None:
    """After the bound the oldest sound goes, and is counted."""
    buffer = CaptureBuffer(max_audio_seconds=4)
    for time in range(6):
        buffer.put(_second(time))
    assert [item.time for item in await buffer.take()] == [2, 3, 4, 5]
    assert buffer.dropped == 2


async def test_closing_wakes_a_waiting_reader() -> None:
    """`stop` ends an iteration that waits for a camera."""
    buffer = CaptureBuffer()
    waiting = asyncio.create_task(buffer.take())
    await asyncio.sleep(0)
    buffer.close()
    assert await waiting == []
    assert await buffer.take() == []


async def test_what_was_captured_before_the_end_is_still_given() -> None:
    """Draining gives everything; what comes later is left out."""
    buffer = CaptureBuffer()
    [before, after] = frames_at([0.0, 1.0])
    buffer.put(before)
    buffer.close()
    buffer.put(after)
    assert await buffer.take() == [before]
    assert await buffer.take() == []


def test_putting_after_the_loop_is_gone_is_harmless() -> None:
    """A device may deliver once more while everything shuts down."""

    async def make() -> CaptureBuffer:
        return CaptureBuffer()

    buffer = asyncio.run(make())
    for frame in frames_at([0.0]):
        buffer.put(frame)
    buffer.close()
