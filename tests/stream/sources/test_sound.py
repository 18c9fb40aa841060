"""Decoded sound brought to mono float32 at 16 kHz."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from media_factory import tone

from stream.media import SAMPLE_RATE, AudioChunk, Samples
from stream.sources.damage import DamagedError
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


_FORMATS = {"u8": 127, "s16": 32767, "s32": 2**31 - 129, "flt": 1, "dbl": 1}


def _packed(sound: Samples, rate: int, format_: str, layout: str) -> av.AudioFrame:
    """A frame with the same sound in all channels."""
    channels = av.AudioLayout(layout).nb_channels
    scaled = np.repeat(sound.astype(np.float64) * _FORMATS[format_], channels)
    kind = {"u8": np.uint8, "s16": np.int16, "s32": np.int32, "flt": np.float32, "dbl": float}
    block = (scaled + 128 * (format_ == "u8")).astype(kind[format_])[None]
    frame = av.AudioFrame.from_ndarray(block, format=format_, layout=layout)
    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
    return frame


def _heard(frame: av.AudioFrame) -> Samples:
    resampler = MonoResampler()
    chunks = [*resampler.push(frame, 0.0), *resampler.flush()]
    return np.concatenate([chunk.samples for chunk in chunks])


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1", "9 channels"])
@pytest.mark.parametrize("format_", list(_FORMATS))
def test_any_format_is_as_loud_as_it_was_recorded(format_: str, layout: str) -> None:
    """Full scale is full scale, whatever the samples are stored as."""
    heard = _heard(_packed(tone(1, 16_000, level=0.5), 16_000, format_, layout))
    assert np.abs(heard[2000:14_000]).max() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("planar", ["u8p", "s16p", "s32p", "fltp", "dblp", "s64", "s64p"])
def test_planar_formats_and_those_that_numpy_cannot_have_are_converted(planar: str) -> None:
    """Decoders give either kind."""
    [frame] = av.AudioResampler(planar).resample(
        _packed(tone(1, 16_000, level=0.5), 16_000, "flt", "stereo")
    )
    assert np.abs(_heard(frame)[2000:14_000]).max() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("channels", [3, 7, 8, 9, 11, 13, 15, 16, 18, 20, 24, 32, 60, 64, 100])
def test_any_number_of_channels_is_mixed_down(channels: int) -> None:
    """A track of many microphones says nothing of where they stood."""
    frame = _packed(tone(1, 16_000, level=0.5), 16_000, "s16", f"{channels} channels")
    assert np.abs(_heard(frame)[2000:14_000]).max() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("layout", ["16 channels", "hexadecagonal", "22.2"])
def test_one_microphone_of_many_is_heard_wherever_it_is(layout: str) -> None:
    """FFmpeg's matrices leave out most of the channels above the eighth."""
    channels = av.AudioLayout(layout).nb_channels
    for sounding in (0, 9, channels - 1):
        block = np.zeros((16_000, channels), np.float32)
        block[:, sounding] = tone(1, 16_000, level=0.5)
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate = 16_000
        assert np.abs(_heard(frame)[2000:14_000]).max() == pytest.approx(0.5, abs=0.02)


def test_sound_that_is_out_of_phase_is_heard() -> None:
    """And it is said, once."""
    sound = tone(1, 48_000)
    block = np.ascontiguousarray(np.stack([sound, -sound]))
    frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
    frame.sample_rate = 48_000
    assert np.abs(_heard(frame)[2000:14_000]).max() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("rate", [8000, 192_000])
def test_layouts_may_change_as_often_as_they_like(rate: int) -> None:
    """No sample is lost at a change."""
    resampler, chunks = MonoResampler(), []
    layouts = ["mono", "9 channels", "stereo", "5.1", "mono", "32 channels", "7.1"]
    for number, layout in enumerate(layouts):
        frame = _packed(tone(0.5, rate), rate, "s16", layout)
        chunks += resampler.push(frame, number * 0.5)
    chunks += resampler.flush()
    assert sum(len(chunk.samples) for chunk in chunks) == pytest.approx(
        len(layouts) * SAMPLE_RATE / 2, abs=40 * len(layouts)
    )


def test_sound_without_a_rate_is_damaged() -> None:
    """It is no fault of ours, and nothing can be made of it."""
    frame = _packed(tone(0.1, 16_000), 16_000, "s16", "stereo")
    frame.sample_rate = 0
    with pytest.raises(DamagedError):
        list(MonoResampler().push(frame, 0.0))


def test_an_empty_frame_is_no_error() -> None:
    """Some files end with one."""
    frame = av.AudioFrame(format="s16", layout="stereo", samples=0)
    frame.sample_rate = 16_000
    resampler = MonoResampler()
    assert [*resampler.push(frame, 0.0), *resampler.flush()] == []
