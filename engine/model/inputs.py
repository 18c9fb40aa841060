"""From an utterance's pictures and sound to the arrays the encoders take.

Training, export and the live engine all come through here, so that what a model is
trained on is what it sees live. A frame becomes a video token in three steps:
`participant_pictures` cuts the face, `picture_tensor` makes it the DenseNet's input, and
`engine.model.fusion` pools and adapts the DenseNet's features.

Letters in shapes: B pictures, H height, W width, C channels, S side, N samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.faces import Box, FaceDetector, Framing, track_faces
from engine.model.spec import AudioSpec, VideoSpec
from stream.media import SAMPLE_RATE, Image, Samples, VideoFrame

SILENCE = 1e-4
"""Root mean square below which sound is taken for a muted microphone."""


class Pictures(NamedTuple):
    """What the DenseNet looks at, before it is fitted."""

    images: list[Image]
    """In order of time; none where no face was found."""
    quality: float
    """How good they are, from 0 to 1."""
    boxes: tuple[Box | None, ...] | None = None
    """Per frame the tracked face, None where it is not seen; None where none was looked for."""


def picture_tensor(pictures: Sequence[Image] | NDArray[np.uint8], spec: VideoSpec) -> Tensor:
    """Pixels of square pictures as the DenseNet takes them.

    Args:
        pictures: B pictures, (H, W) grey or (H, W, 3) RGB.
        spec: gives the side S, the channels C, mean and std.

    Returns:
        (B, C, S, S) float32, normalised.
    """
    channels = spec.densenet.in_channels
    out = np.empty((len(pictures), spec.size, spec.size, channels), np.float32)
    for index, picture in enumerate(pictures):
        out[index] = fit_picture(picture, spec.size, channels)
    return normalised(torch.from_numpy(out).permute(0, 3, 1, 2) / 255, spec)


def normalised(pixels: Tensor, spec: VideoSpec) -> Tensor:
    """(B, C, S, S) pixels in [0, 1] as the DenseNet takes them."""
    return (pixels - per_channel(spec.mean)) / per_channel(spec.std)


def per_channel(numbers: float | tuple[float, ...]) -> float | Tensor:
    """A number of all channels, or (C, 1, 1) of each."""
    return torch.tensor(numbers)[:, None, None] if isinstance(numbers, tuple) else numbers


def participant_pictures(
    frames: Sequence[VideoFrame], spec: VideoSpec, detector: FaceDetector | None
) -> Pictures:
    """What the DenseNet looks at, before it is fitted: tracked faces, or whole frames.

    Raises:
        ValueError: faces are wanted and there is no detector.
    """
    if spec.source == "frame":
        return Pictures([frame.image for frame in frames], 1.0)
    if detector is None:
        raise ValueError("video.source is face: a detector is needed")
    framing = Framing(spec.face_scale, spec.face_offset)
    track = track_faces(frames, detector, spec.size, framing)
    return Pictures(
        [crop.image for crop in track.crops if crop is not None],
        track.quality,
        tuple(None if crop is None else crop.box for crop in track.crops),
    )


def fit_picture(picture: NDArray[np.uint8], size: int, channels: int) -> NDArray[Any]:
    """A picture at its final size and channels: (H, W) or (H, W, 3) -> (S, S, C)."""
    fitted: NDArray[Any] = picture
    if picture.ndim == 3 and channels == 1:
        fitted = cv2.cvtColor(fitted, cv2.COLOR_RGB2GRAY)
    elif picture.ndim == 2 and channels == 3:
        fitted = cv2.cvtColor(fitted, cv2.COLOR_GRAY2RGB)
    if picture.shape[:2] != (size, size):
        shrinks = min(picture.shape[:2]) > size
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        fitted = cv2.resize(fitted, (size, size), interpolation=method)
    return fitted.reshape(size, size, channels)


def window_starts(length: int, spec: AudioSpec) -> list[int]:
    """First samples of the windows of a sound of `length` samples: none of an empty one.

    They lie on a grid of hops from its start, so that all but the last are known while the
    sound still grows. Of more than `spec.max_windows` some are picked, uniform over the sound.
    """
    if not length:
        return []
    window = round(spec.window_seconds * SAMPLE_RATE)
    hop = round(spec.hop_seconds * SAMPLE_RATE)
    last = max(0, -(-(length - window) // hop))
    count = min(spec.max_windows, last + 1)
    return [round(index) * hop for index in np.linspace(0, last, count)]


def audio_windows(samples: Samples, spec: AudioSpec) -> list[Samples]:
    """Cut sound into overlapping windows, the last padded with zeros.

    Args:
        samples: (N,) 16 kHz mono.
        spec: gives window, hop and the largest number of windows.

    Returns:
        Arrays of equal length, one for each of `window_starts`.
    """
    window = round(spec.window_seconds * SAMPLE_RATE)
    starts = window_starts(len(samples), spec)
    padded = np.zeros(max([len(samples), *(start + window for start in starts)]), np.float32)
    padded[: len(samples)] = samples
    return [padded[start : start + window] for start in starts]


def is_silent(samples: Samples) -> bool:
    """Whether there is no sound, or that of a muted microphone."""
    return not len(samples) or float(np.sqrt(np.mean(np.square(samples)))) < SILENCE


def clean_samples(samples: Samples) -> Samples:
    """Replace NaN and infinities by silence and clip to [-1, 1]."""
    finite = np.nan_to_num(samples.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
    return np.clip(finite, -1.0, 1.0)
