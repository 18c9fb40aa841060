"""Decoded sound brought to what the rest of the project hears: mono float32 at 16 kHz."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from stream.audio import SampleClock
from stream.media import SAMPLE_RATE, AudioChunk, Samples
from stream.sources.damage import DamagedError, decoding
from stream.sources.mixing import Mixer

_log = logging.getLogger(__name__)

# Left to itself FFmpeg adds stereo up to more than full scale.
_NO_CLIPPING = {"rematrix_maxval": "1.0"}
_MOST_CHANNELS_OF_A_CINEMA = 8  # more are the microphones of an array: one is like another
# How packed samples become numbers from -1 to 1: what is subtracted, and what is divided by.
_SCALES = {
    "u8": (128.0, 128.0),
    "s16": (0.0, 2.0**15),
    "s32": (0.0, 2.0**31),
    "flt": (0.0, 1.0),
    "dbl": (0.0, 1.0),
}


class MonoResampler:
    """Turns decoded frames of any rate, layout and format into chunks on the sample clock."""

    def __init__(self) -> None:
        self._clock = SampleClock()
        self._resampler: av.AudioResampler | None = None
        self._packer: av.AudioResampler | None = None
        self._mixer: Mixer | None = None
        self._format: tuple[str, str, int] | None = None
        self._told = False

    def push(self, frame: av.AudioFrame, time: float) -> Iterator[AudioChunk]:
        """Chunks that are complete now.

        Args:
            frame: Any decoded sound.
            time: Media seconds of its first sample.

        Raises:
            DamagedError: FFmpeg can make nothing of the frame.
        """
        if frame.samples == 0:
            return
        format_ = (frame.format.name, frame.layout.name, frame.sample_rate)
        if format_ != self._format:
            yield from self.flush()
            self._begin(frame)
            self._format = format_
        if self._mixer is not None:
            frame = self._mixed(frame, self._mixer)
        # The resampler delays and carries timestamps over: give it ours, in fine units.
        frame.pts = round(time * SAMPLE_RATE)
        frame.time_base = Fraction(1, SAMPLE_RATE)
        yield from self._place(frame)

    def flush(self) -> Iterator[AudioChunk]:
        """What the resampler still holds."""
        if self._resampler is not None:
            yield from self._place(None)
        self._resampler = self._format = None

    def _begin(self, frame: av.AudioFrame) -> None:
        channels, rate = frame.layout.nb_channels, frame.sample_rate
        if channels < 1 or rate < 1:
            raise DamagedError(f"sound of {channels} channels at {rate} Hz")
        weights = _weights(frame.layout.name, channels) if channels > 1 else None
        self._mixer = None if weights is None else Mixer(weights, rate)
        self._packer = av.AudioResampler("flt")
        self._resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE, options=_NO_CLIPPING)

    def _mixed(self, frame: av.AudioFrame, mixer: Mixer) -> av.AudioFrame:
        mono = mixer(self._samples(frame))
        if mixer.turned and not self._told:
            self._told = True
            _log.warning("channels of the sound cancel out in the mean: turned round")
        return mono_frame(mono, frame.sample_rate)

    def _samples(self, frame: av.AudioFrame) -> NDArray[np.floating]:
        """The samples in [-1, 1], shape (C, N)."""
        assert self._packer is not None
        channels = frame.layout.nb_channels
        with decoding():
            packed = [frame] if frame.format.name in _SCALES else self._packer.resample(frame)
            blocks: list[NDArray[Any]] = [one.to_ndarray() for one in packed]
        if not blocks:
            return np.zeros((channels, 0), np.float32)
        zero, scale = _SCALES[packed[0].format.name]
        samples: NDArray[np.floating] = (np.concatenate(blocks, axis=1) - zero) / scale
        return samples.reshape(-1, channels).T

    def _place(self, frame: av.AudioFrame | None) -> Iterator[AudioChunk]:
        assert self._resampler is not None
        with decoding():
            resampled = self._resampler.resample(frame)
        for one in resampled:
            if one.pts is None or one.time_base is None:
                continue
            samples = np.asarray(one.to_ndarray(), np.float32).reshape(-1)
            chunk = self._clock.place(float(one.pts * one.time_base), samples)
            if chunk is not None:
                yield chunk


def mono_frame(samples: Samples, rate: int) -> av.AudioFrame:
    """A frame of samples of shape (N,)."""
    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    return frame


@lru_cache(maxsize=32)
def _weights(layout: str, channels: int) -> NDArray[np.float64]:
    """The share of each channel in the mix, shape (C,): FFmpeg's, where it knows one."""
    equal = np.full(channels, 1.0 / channels)
    if channels > _MOST_CHANNELS_OF_A_CINEMA:
        return equal
    resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE, options=_NO_CLIPPING)
    impulses = np.eye(channels, dtype=np.float32)
    frame = av.AudioFrame.from_ndarray(impulses.reshape(1, -1), format="flt", layout=layout)
    frame.sample_rate = SAMPLE_RATE
    try:
        mixed = [one.to_ndarray().reshape(-1) for one in resampler.resample(frame)]
    except av.error.FFmpegError:
        return equal
    weights = np.concatenate(mixed).astype(np.float64)
    return weights if len(weights) == channels and weights.sum() > 0 else equal
