"""Media synthesised for the tests, written by the same library that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from stream.media import SAMPLE_RATE, AudioChunk, Image, Samples, VideoFrame

SOUND_RATE = 48_000
_MILLISECOND = Fraction(1, 1000)

Picture = tuple[float, Image]
"""When a picture is shown, in seconds, and the picture."""


def grey(level: int, width: int = 64, height: int = 48) -> Image:
    """A picture of one grey."""
    return np.full((height, width, 3), level, np.uint8)


def quadrants(width: int = 64, height: int = 48) -> Image:
    """A picture with a red, a green and a blue corner, clockwise from the top left."""
    image = np.full((height, width, 3), 255, np.uint8)
    image[: height // 2, : width // 2] = (255, 0, 0)
    image[: height // 2, width // 2 :] = (0, 255, 0)
    image[height // 2 :, width // 2 :] = (0, 0, 255)
    return image


def moving(seconds: float, fps: float = 25.0, width: int = 64, height: int = 48) -> list[Picture]:
    """A bright bar that crosses the picture once a second."""
    pictures = []
    for step in range(round(seconds * fps)):
        image = grey(40, width, height)
        left = int(step / fps % 1 * (width - 8))
        image[:, left : left + 8] = 220
        pictures.append((step / fps, image))
    return pictures


def tone(seconds: float, rate: int = SOUND_RATE, level: float = 0.5) -> Samples:
    """A pure tone of 440 Hz, shape (N,)."""
    times = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * 440 * times)).astype(np.float32)


def bursts(
    seconds: float, sounding: Iterable[tuple[float, float]], rate: int = SOUND_RATE
) -> Samples:
    """Noise in the stretches `sounding`, silence elsewhere, shape (N,)."""
    sound = np.zeros(round(seconds * rate), np.float32)
    noise = np.random.default_rng(0).normal(0, 0.2, len(sound)).clip(-1, 1)
    for start, end in sounding:
        stretch = slice(round(start * rate), round(end * rate))
        sound[stretch] = noise[stretch]
    return sound


def write_media(
    path: Path,
    *,
    pictures: list[Picture] | None = None,
    sound: NDArray[Any] | None = None,
    sound_rate: int = SOUND_RATE,
    video_codec: str = "libx264",
    audio_codec: str = "aac",
    rotation: int | None = None,
    mirrored: bool = False,
    pixel_aspect: Fraction | None = None,
    sound_times: Callable[[float], float] = lambda time: time,
    corrupt: Callable[[str, int], bool] = lambda kind, number: False,
    preset: str = "ultrafast",
) -> Path:
    """Write a file.

    Args:
        path: Where; the suffix chooses the container.
        pictures: What is shown when.
        sound: Mono, shape (N,).
        sound_rate: Samples per second of `sound`.
        video_codec: FFmpeg's name.
        audio_codec: FFmpeg's name.
        rotation: Degrees counter-clockwise to turn the picture by when it is shown.
        mirrored: Whether the picture is mirrored when it is shown.
        pixel_aspect: Width of a pixel over its height.
        sound_times: Moves the timestamps of the sound.
        corrupt: Given `video` or `audio` and the packet's number: whether to damage it.
        preset: Of x264; those above `ultrafast` have pictures that refer to later ones.
    """
    with av.open(path, "w") as container:
        video = audio = None
        if pictures is not None:
            options = {"preset": preset} if video_codec == "libx264" else {}
            video = container.add_stream(video_codec, rate=25, options=options)
            video.height, video.width = pictures[0][1].shape[:2]
            video.pix_fmt = "yuvj420p" if video_codec == "mjpeg" else "yuv420p"
            video.time_base = video.codec_context.time_base = _MILLISECOND
            if pixel_aspect is not None:
                video.codec_context.sample_aspect_ratio = pixel_aspect
            if rotation is not None:
                video.set_display_rotation(rotation, hflip=mirrored)
        if sound is not None:
            audio = container.add_stream(audio_codec, rate=sound_rate, layout="mono")
        packets = [
            *(_video_packets(video, pictures) if video is not None and pictures else ()),
            *(_audio_packets(audio, sound, sound_times) if audio is not None else ()),
        ]
        numbers = {"video": 0, "audio": 0}
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            kind = packet.stream.type
            container.mux(_damaged(packet) if corrupt(kind, numbers[kind]) else packet)
            numbers[kind] += 1
    return path


def sound_chunks(samples: Samples, size: int, start: float = 0.0) -> Iterator[AudioChunk]:
    """`samples`, at 16 kHz, in chunks of `size`."""
    for first in range(0, len(samples), size):
        yield AudioChunk(start + first / SAMPLE_RATE, samples[first : first + size])


def frames_at(times: Iterable[float]) -> list[VideoFrame]:
    """A tiny black picture at each time."""
    return [VideoFrame(time, np.zeros((2, 2, 3), np.uint8)) for time in times]


def _video_packets(stream: Any, pictures: list[Picture]) -> Iterator[Any]:
    for time, image in pictures:
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = round(time * 1000), _MILLISECOND
        yield from stream.encode(frame)
    yield from stream.encode()


def _audio_packets(stream: Any, sound: Any, times: Callable[[float], float]) -> Iterator[Any]:
    size = stream.codec_context.frame_size or 1024
    format_ = stream.codec_context.format.name
    rate = stream.codec_context.sample_rate
    for first in range(0, len(sound), size):
        block = sound[None, first : first + size]
        if format_ == "s16":
            block = (block * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(block, format=format_, layout="mono")
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(times(first / rate) * rate)
        yield from stream.encode(frame)
    yield from stream.encode()


def _damaged(packet: Any) -> Any:
    noise = np.random.default_rng(packet.size).integers(0, 256, max(packet.size, 16), np.uint8)
    damaged = av.Packet(noise.tobytes())
    damaged.pts, damaged.dts, damaged.time_base = packet.pts, packet.dts, packet.time_base
    damaged.stream = packet.stream
    damaged.is_keyframe = packet.is_keyframe
    return damaged
