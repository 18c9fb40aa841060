"""Decoded sound brought to mono float32 at 16 kHz."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from media_factory import tone

from stream.media import SAMPLE_RATE, AudioChunk, Samples
from stream.sources.sound import MonoResampler


def _frame(sound: Samples, rate: int, channels: int = 1) -> av.AudioFrame:
    layout = "stereo" if channels == 2 else "mono"
    block = np.ascontiguousarray(np.repeat(sound[None], channels, axis=0), np.float32)
    frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
    return frame


def _resampled(rate: int, channels: int = 1, block: int = 1024) -> list[AudioChunk]:
    resampler, sound = MonoResampler(), tone(2, rate)
    chunks = [
        chunk
        for first in range(0, len(sound), block)
        for chunk in resampler.push(
            _frame(sound[first : first + block], rate, channels), first / rate
        )
    ]
    return chunks + list(resampler.flush())


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000])
def test_any_rate_and_layout_gives_the_same_tone_on_the_same_clock(
    rate: int, channels: int
) -> None:
    """Chunks touch, last as long as the sound did, and carry it in phase."""
    chunks = _resampled(rate, channels)
    ends = [chunk.end for chunk in chunks]
    assert [chunk.time for chunk in chunks] == pytest.approx([0.0, *ends[:-1]])
    heard = np.concatenate([chunk.samples for chunk in chunks])
    assert len(heard) == pytest.approx(2 * SAMPLE_RATE, abs=40)
    expected = tone(2, SAMPLE_RATE)
    middle = slice(SAMPLE_RATE // 2, SAMPLE_RATE)
    np.testing.assert_allclose(heard[middle], expected[middle], atol=0.05)


def test_a_gap_in_the_timestamps_stays_a_gap() -> None:
    """Sound after a pause keeps its own time."""
    resampler, block = MonoResampler(), tone(0.5, 48_000)
    list(resampler.push(_frame(block, 48_000), 0.0))
    [later] = resampler.push(_frame(block, 48_000), 3.0)
    assert later.time == pytest.approx(3.0, abs=0.002)


def test_sound_that_changes_its_rate_midway_goes_on() -> None:
    """A stream may switch from 48 to 44.1 kHz, and from mono to stereo."""
    resampler = MonoResampler()
    chunks = list(resampler.push(_frame(tone(1, 48_000), 48_000), 0.0))
    chunks += resampler.push(_frame(tone(1, 44_100), 44_100, channels=2), 1.0)
    chunks += resampler.flush()
    assert sum(len(chunk.samples) for chunk in chunks) == pytest.approx(2 * SAMPLE_RATE, abs=40)
    assert chunks[-1].end == pytest.approx(2.0, abs=0.01)


def test_sound_that_is_no_number_or_too_loud_is_made_safe() -> None:
    """NaN becomes silence, and everything lies in [-1, 1]."""
    sound = tone(1, 48_000, level=8.0)
    sound[1000:2000] = np.nan
    sound[5000] = np.inf
    resampler = MonoResampler()
    chunks = [*resampler.push(_frame(sound, 48_000), 0.0), *resampler.flush()]
    heard = np.concatenate([chunk.samples for chunk in chunks])
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= 1.0
    assert np.abs(heard[SAMPLE_RATE // 2 :]).max() > 0.9


def test_flushing_before_any_sound_gives_nothing() -> None:
    """An empty track is no error."""
    assert list(MonoResampler().flush()) == []
