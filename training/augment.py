"""Augmentation of face crops: what a detector, a webcam and a codec do to a face.

Letters in shapes: B images, C channels, S side in pixels.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional


def augment_faces(faces: Tensor, generator: Generator, side: int | None = None) -> Tensor:
    """Random mirror, rotation, scale, shift, light and occlusion of (B, C, S, S) pictures.

    Args:
        faces: pixels in [0, 1].
        generator: source of all randomness.
        side: output side in pixels; the input's by default.

    Returns:
        (B, C, side, side) in [0, 1].
    """
    side = side or faces.shape[-1]
    faces = _move(faces, generator, side)
    faces = _relight(faces, generator)
    return _occlude(faces, generator)


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
