"""Augmentation of face crops: what a detector, a webcam and a codec do to a face.

Letters in shapes: B images, C channels, S side in pixels.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from engine.model.inputs import normalised, per_channel
from engine.model.spec import VideoSpec

DEGRADED = 0.25
"""Share of the pictures that are given each kind of poor quality."""


def augment_faces(faces: Tensor, generator: Generator, side: int | None = None) -> Tensor:
    """Random mirror, rotation, scale, shift, light, blur, codec, noise and occlusion of pictures.

    The shift and the scale are those of a detector's box, which trembles by a tenth of its
    side (`training.measure_framing`).

    Args:
        faces: (B, C, S, S) pixels in [0, 1].
        generator: source of all randomness.
        side: output side in pixels; the input's by default.

    Returns:
        (B, C, side, side) in [0, 1].
    """
    side = side or faces.shape[-1]
    faces = _move(faces, generator, side)
    faces = _relight(faces, generator)
    faces = _degrade(faces, generator)
    return _occlude(faces, generator)


def augment_pictures(pictures: Tensor, spec: VideoSpec, generator: Generator) -> Tensor:
    """The same of pictures (B, C, S, S) that are normalised for the DenseNet, and stay so."""
    pixels = pictures * per_channel(spec.std) + per_channel(spec.mean)
    return normalised(augment_faces(pixels, generator), spec)


def _uniform(generator: Generator, count: int, low: float, high: float) -> Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def _move(faces: Tensor, generator: Generator, side: int) -> Tensor:
    count = len(faces)
    angle = _uniform(generator, count, -math.pi / 12, math.pi / 12)
    zoom = _uniform(generator, count, 0.82, 1.15)
    mirror = (torch.rand(count, generator=generator) < 0.5).float() * 2 - 1
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0] = torch.cos(angle) * zoom * mirror
    matrix[:, 0, 1] = -torch.sin(angle) * zoom
    matrix[:, 1, 0] = torch.sin(angle) * zoom * mirror
    matrix[:, 1, 1] = torch.cos(angle) * zoom
    matrix[:, 0, 2] = _uniform(generator, count, -0.16, 0.16)
    matrix[:, 1, 2] = _uniform(generator, count, -0.16, 0.16)
    grid = functional.affine_grid(matrix, [count, faces.shape[1], side, side], align_corners=False)
    return functional.grid_sample(faces, grid, padding_mode="border", align_corners=False)


def _relight(faces: Tensor, generator: Generator) -> Tensor:
    shape = (len(faces), 1, 1, 1)
    contrast = _uniform(generator, len(faces), 0.7, 1.3).view(shape)
    brightness = _uniform(generator, len(faces), -0.15, 0.15).view(shape)
    mean = faces.mean(dim=(1, 2, 3), keepdim=True)
    return ((faces - mean) * contrast + mean + brightness).clamp(0, 1)


def _degrade(faces: Tensor, generator: Generator) -> Tensor:
    """A far face (few pixels), the blocks of a codec, the grain of a dark room."""
    count, side = len(faces), faces.shape[-1]
    pixels = np.ascontiguousarray((faces * 255).round().byte().permute(0, 2, 3, 1).numpy())
    chance = torch.rand(count, 2, generator=generator)
    coarse = _uniform(generator, count, 0.4, 0.8)
    quality = torch.randint(15, 70, (count,), generator=generator)
    for row in range(count):
        if chance[row, 0] < DEGRADED:
            few = max(8, round(side * float(coarse[row])))
            small = cv2.resize(pixels[row], (few, few), interpolation=cv2.INTER_AREA)
            large = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
            pixels[row] = large.reshape(pixels[row].shape)
        if chance[row, 1] < DEGRADED:
            options = [cv2.IMWRITE_JPEG_QUALITY, int(quality[row])]
            coded = cv2.imencode(".jpg", pixels[row], options)[1]
            decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_UNCHANGED))
            pixels[row] = decoded.reshape(pixels[row].shape)
    grain = _uniform(generator, count, -0.12, 0.04).clamp_min(0).view(count, 1, 1, 1)
    noise = torch.randn(faces.shape, generator=generator) * grain
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 + noise).clamp(0, 1)


def _occlude(faces: Tensor, generator: Generator) -> Tensor:
    """Grey out one rectangle of up to a third of the side in half of the pictures."""
    count, side = len(faces), faces.shape[-1]
    size = _uniform(generator, count * 2, 0.1, 0.34).view(count, 2, 1) * side
    start = torch.rand(count, 2, 1, generator=generator) * (side - size)
    places = torch.arange(side).view(1, 1, side)
    inside = (places >= start) & (places < start + size)  # (B, 2, S)
    chosen = (torch.rand(count, 1, 1, generator=generator) < 0.5) & (
        inside[:, 0, :, None] & inside[:, 1, None, :]
    )
    return faces.masked_fill(chosen[:, None], 0.5)
