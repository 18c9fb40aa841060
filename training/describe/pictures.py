"""Pictures on their way to a teacher."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable

import cv2

from stream.media import Image, VideoFrame

LONGEST_EDGE = 640
"""Pixels of the longer side that a teacher sees: Qwen2-VL makes a token of 28x28 of them, so
a 16:9 picture costs about 300 tokens at this size and 1,200 at 1280x720."""
JPEG_QUALITY = 90


def frames_hash(frames: Iterable[VideoFrame]) -> str:
    """SHA-256 over times, shapes and pixels: whether a teacher would see the same again."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(struct.pack("<d3q", frame.time, *frame.image.shape))
        digest.update(frame.image.tobytes())
    return digest.hexdigest()


def fit(image: Image, longest_edge: int = LONGEST_EDGE) -> Image:
    """The picture (H, W, 3), made smaller where a side is longer than `longest_edge`."""
    height, width = image.shape[:2]
    scale = longest_edge / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(image.dtype, copy=False)


def jpeg(image: Image) -> bytes:
    """An RGB picture (H, W, 3) as a JPEG file."""
    parameters = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), parameters)
    if not done:
        raise ValueError(f"a picture of shape {image.shape} cannot be encoded as JPEG")
    return data.tobytes()
