"""Blocks of a sound card."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from media_factory import tone

from stream.media import SAMPLE_RATE, AudioChunk
from stream.sources.microphone import BlockReceiver

_RATE = 48_000
_BLOCK = 480


def _received(arrivals: list[float], overflow_at: int | None = None) -> list[AudioChunk]:
    """What comes of 10 ms blocks that arrive at those times."""
    chunks: list[AudioChunk] = []
    now = 0.0
    receiver = BlockReceiver(chunks.append, lambda: now)
    sound = tone(len(arrivals) * _BLOCK / _RATE, _RATE)[:, None]
    for number, now in enumerate(arrivals):  # noqa: B007 - read by the receiver's clock
        block = sound[number * _BLOCK : (number + 1) * _BLOCK]
        receiver.receive(block, _RATE, overflowed=number == overflow_at)
    return chunks


def test_blocks_become_sound_at_16_khz_from_when_they_were_recorded() -> None:
    """The first sample is as old as the block is long."""
    chunks = _received([1.0 + 0.01 * n for n in range(100)])
    assert chunks[0].time == pytest.approx(0.99)
    assert sum(len(chunk.samples) for chunk in chunks) == pytest.approx(SAMPLE_RATE, abs=40)
    assert chunks[-1].end == pytest.approx(1.99, abs=0.005)


def test_blocks_that_arrive_in_bursts_follow_each_other_without_a_seam() -> None:
    """Scheduling jitter is not heard."""
    chunks = _received([1.0 + 0.05 * (n // 5) for n in range(100)])
    ends = [chunk.end for chunk in chunks]
    assert [chunk.time for chunk in chunks[1:]] == pytest.approx(ends[:-1])


def test_a_card_that_stalls_leaves_a_gap() -> None:
    """Sound after half a second of nothing keeps its own time."""
    chunks = _received([1.0 + 0.01 * n + (0.5 if n >= 50 else 0.0) for n in range(100)])
    assert chunks[-1].end == pytest.approx(2.49, abs=0.005)


def test_an_overflow_puts_the_sound_back_on_the_clock() -> None:
    """What the card threw away is a gap, even a short one."""
    late = [1.0 + 0.01 * n + (0.1 if n >= 50 else 0.0) for n in range(100)]
    assert _received(late)[-1].end == pytest.approx(1.99, abs=0.005)
    assert _received(late, overflow_at=50)[-1].end == pytest.approx(2.09, abs=0.005)


def test_several_channels_are_mixed() -> None:
    """A stereo block is as loud as each of its equal sides."""
    chunks: list[AudioChunk] = []
    receiver = BlockReceiver(chunks.append, lambda: 1.0)
    receiver.receive(np.full((1600, 2), 0.5, np.float32), SAMPLE_RATE)
    assert chunks[0].samples[800] == pytest.approx(0.5)


def test_a_card_that_changes_its_rate_goes_on() -> None:
    """Sound lasts as long as before, at its own pitch."""
    chunks: list[AudioChunk] = []
    now = 1.0
    receiver = BlockReceiver(chunks.append, lambda: now)
    for rate in (48_000, 44_100, 16_000):
        sound = tone(2.0, rate)[:, None]
        for first in range(0, len(sound), rate // 100):
            now += 0.01
            receiver.receive(sound[first : first + rate // 100], rate)
    assert sum(len(chunk.samples) for chunk in chunks) == pytest.approx(6 * SAMPLE_RATE, abs=60)
    assert all(b.time >= a.end - 1e-9 for a, b in itertools.pairwise(chunks))
