"""Films whose pictures and sound say when they are, and on which side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from stream.media import SAMPLE_RATE, Image, Samples
from training.datasets.clip import Clip, MediaCut
from training.datasets.dialogues import Dialogue, DialogueUtterance

FPS = 10
WIDTH, HEIGHT = 64, 48


def clock_picture(number: int) -> Image:
    """The number of the picture as grey: as it is on the left, mirrored on the right."""
    image = np.full((HEIGHT, WIDTH, 3), 10 + number % 230, np.uint8)
    image[:, WIDTH // 2 :] = 245 - number % 230
    return image


def clock_sound(seconds: float, rate: int = SAMPLE_RATE) -> Samples:
    """A rising line: the value of a sample, times 100, is its time in seconds."""
    return (np.arange(round(seconds * rate)) / rate / 100).astype(np.float32)


def write_film(
    path: Path,
    seconds: float = 2.0,
    *,
    picture: Callable[[int], Image] | None = clock_picture,
    sound: Samples | None = None,
    video_codec: str = "mpeg4",
    audio_codec: str = "pcm_s16le",
    key_every: int = 12,
    rate: int = SAMPLE_RATE,
) -> Path:
    """Write a film at `FPS` pictures a second; the suffix chooses the container."""
    with av.open(path, "w") as container:
        video: Any = None
        audio: Any = None
        if picture is not None:
            video = container.add_stream(video_codec, rate=FPS)
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            video.gop_size, video.bit_rate = key_every, 4_000_000
            video.height, video.width = picture(0).shape[:2]
        if sound is not None:
            audio = container.add_stream(audio_codec, rate=rate, layout="mono")
        for number in range(round(seconds * FPS) if picture is not None else 0):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(frame))
        size = 0 if audio is None else audio.codec_context.frame_size or 1024
        for first in range(0, 0 if sound is None else len(sound), max(size, 1)):
            container.mux(audio.encode(_sound_frame(audio, sound[first : first + size], first)))
        for stream in (video, audio):
            if stream is not None:
                container.mux(stream.encode())
    return path


def _sound_frame(stream: Any, samples: Samples, first: int) -> av.AudioFrame:
    format_ = stream.codec_context.format.name
    block = samples[None]
    if format_ == "s16":
        block = (block * 32767).round().astype(np.int16)
    frame = av.AudioFrame.from_ndarray(block, format=format_, layout="mono")
    frame.sample_rate = stream.codec_context.sample_rate
    frame.pts, frame.time_base = first, Fraction(1, frame.sample_rate)
    return frame


def whole(path: Path) -> Clip:
    """Pictures and sound of a whole file."""
    return Clip(MediaCut(path), MediaCut(path))


def dialogue(*clips: Clip | None, name: str = "0") -> Dialogue:
    """A dialogue with those clips."""
    utterances = [
        DialogueUtterance(name, number, "Ann", f"Word {number}\u2026", "joy", None, None, clip=clip)
        for number, clip in enumerate(clips)
    ]
    return Dialogue(name, tuple(utterances))


def in_this_process(
    work: Callable[[Any], Any], tasks: Iterable[Any], jobs: int
) -> Iterator[tuple[Any, Any]]:
    """`map_isolated` where a crash is not what is tested: a process takes seconds to start."""
    return ((task, work(task)) for task in tasks)
