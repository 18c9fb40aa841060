"""Decoded sound brought to what the rest of the project hears: mono float32 at 16 kHz."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from stream.audio import SampleClock
from stream.media import SAMPLE_RATE, AudioChunk

# Left to itself FFmpeg adds stereo up to more than full scale.
_NO_CLIPPING = {"rematrix_maxval": "1.0"}


class MonoResampler:
    """Turns decoded frames of any rate, layout and format into chunks on the sample clock."""

    def __init__(self) -> None:
        self._clock = SampleClock()
        self._resampler: av.AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None

    def push(self, frame: av.AudioFrame, time: float) -> Iterator[AudioChunk]:
        """Chunks that are complete now.

        Args:
            frame: Any decoded sound.
            time: Media seconds of its first sample.
        """
        format_ = (frame.format.name, frame.layout.name, frame.sample_rate)
        if format_ != self._format:
            yield from self.flush()
            self._format = format_
            self._resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE, options=_NO_CLIPPING)
        # The resampler delays and carries timestamps over: give it ours, in fine units.
        frame.pts = round(time * SAMPLE_RATE)
        frame.time_base = Fraction(1, SAMPLE_RATE)
        assert self._resampler is not None
        yield from self._place(self._resampler.resample(frame))

    def flush(self) -> Iterator[AudioChunk]:
        """What the resampler still holds."""
        resampler, self._resampler = self._resampler, None
        self._format = None
        if resampler is not None:
            yield from self._place(resampler.resample(None))

    def _place(self, frames: list[av.AudioFrame]) -> Iterator[AudioChunk]:
        for frame in frames:
            if frame.pts is None or frame.time_base is None:
                continue
            samples = np.asarray(frame.to_ndarray(), np.float32).reshape(-1)
            chunk = self._clock.place(float(frame.pts * frame.time_base), samples)
            if chunk is not None:
                yield chunk
