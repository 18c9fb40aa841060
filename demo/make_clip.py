"""Rebuild `talk.mp4` and the speech of the tests from their two sources.

    python demo/make_clip.py --video woman.mp4 --speech two_cities.wav \
        --clip demo/talk.mp4 --wav tests/assets/speech.wav

`LICENSES.md` says where both inputs come from. The pictures are copied packet by packet,
not encoded again; only the sound is new.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]
Cut = tuple[float, float, float]

CLIP_RATE = 48_000
WAV_RATE = 16_000
GAIN = 4.0
"""The reading peaks at 0.16 of full scale; a laptop microphone is louder."""
FADE_SECONDS = 0.02

CLIP_CUTS: tuple[Cut, ...] = (
    # (seconds in the clip, start and end in the reading): the dark lines go with the
    # sorrow in the first half of the video, the bright ones with the joy in the second.
    (0.7, 15.10, 16.80),  # it was the season of darkness
    (3.6, 18.98, 20.60),  # it was the winter of despair
    (6.2, 21.20, 24.20),  # we had everything before us, we had nothing before us
    (10.4, 17.45, 18.98),  # it was the spring of hope
    (13.2, 1.15, 3.02),  # it was the best of times
    (16.2, 24.55, 26.20),  # we were all going direct to heaven
)
WAV_CUTS: tuple[Cut, ...] = ((0.6, 1.15, 4.75), (5.4, 21.20, 24.20))
WAV_SECONDS = 9.2


def main() -> None:
    """Read the arguments and write whichever files were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--video", type=Path, help="pictures of the clip, H.264 in MP4")
    parser.add_argument("--speech", type=Path, required=True, help="the reading, any rate")
    parser.add_argument("--clip", type=Path, help="MP4 to write (needs --video)")
    parser.add_argument("--wav", type=Path, help="16 kHz WAV to write")
    arguments = parser.parse_args()
    if arguments.clip:
        if not arguments.video:
            parser.error("--clip needs --video")
        write_clip(arguments.video, read_mono(arguments.speech, CLIP_RATE), arguments.clip)
    if arguments.wav:
        speech = read_mono(arguments.speech, WAV_RATE)
        write_wav(lay_out(speech, WAV_RATE, WAV_CUTS, WAV_SECONDS), arguments.wav)


def read_mono(path: Path, rate: int) -> Sound:
    """All sound of a file as mono float32 at `rate`."""
    resampler = av.AudioResampler("fltp", "mono", rate)
    with av.open(str(path)) as container:
        decoded = [frame for frame in container.decode(audio=0)]
    parts = [
        part.to_ndarray()[0] for frame in [*decoded, None] for part in resampler.resample(frame)
    ]
    return np.concatenate(parts).astype(np.float32)


def lay_out(speech: Sound, rate: int, cuts: tuple[Cut, ...], seconds: float) -> Sound:
    """Silence of `seconds` with each cut faded in at its place."""
    sound = np.zeros(round(seconds * rate), np.float32)
    ramp = np.linspace(0, 1, round(FADE_SECONDS * rate), dtype=np.float32)
    for place, start, end in cuts:
        piece = speech[round(start * rate) : round(end * rate)] * GAIN
        piece[: len(ramp)] *= ramp
        piece[-len(ramp) :] *= ramp[::-1]
        first = round(place * rate)
        sound[first : first + len(piece)] += piece
    return np.clip(sound, -1, 1)


def write_clip(video: Path, speech: Sound, path: Path) -> None:
    """Copy the pictures of `video` and put the laid-out speech under them."""
    with av.open(str(video)) as source, av.open(str(path), "w") as target:
        pictures = source.streams.video[0]
        copied = target.add_stream_from_template(pictures)
        sound = target.add_stream("aac", rate=CLIP_RATE, layout="mono", bit_rate=64_000)
        seconds = float((pictures.duration or 0) * (pictures.time_base or Fraction(1)))
        packets = [packet for packet in source.demux(pictures) if packet.dts is not None]
        for packet in packets:
            packet.stream = copied
        frame = av.AudioFrame.from_ndarray(
            lay_out(speech, CLIP_RATE, CLIP_CUTS, seconds)[None], "fltp", "mono"
        )
        frame.sample_rate, frame.pts = CLIP_RATE, 0
        for packet in [*packets, *sound.encode(frame), *sound.encode(None)]:
            target.mux(packet)


def write_wav(sound: Sound, path: Path) -> None:
    """Write 16-bit mono sound."""
    with av.open(str(path), "w") as target:
        stream = target.add_stream("pcm_s16le", rate=WAV_RATE, layout="mono")
        samples = np.round(sound * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
        frame.sample_rate, frame.pts = WAV_RATE, 0
        target.mux([*stream.encode(frame), *stream.encode(None)])


if __name__ == "__main__":
    main()
