"""Augmented faces stay pictures, and a seed decides every one of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from training.augment import _degrade, augment_faces


def generator(seed: int) -> torch.Generator:
    """A source of randomness."""
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def faces() -> Tensor:
    """A dark picture with a bright left half, many times."""
    faces = torch.full((64, 1, 48, 48), 0.2)
    faces[..., :24] = 0.8
    return faces


@pytest.mark.parametrize(("channels", "side"), [(1, 48), (1, 32), (3, 40)])
def test_pictures_stay_pictures(channels: int, side: int) -> None:
    """Of the size that is asked for, within [0, 1], without NaN."""
    faces = torch.rand(16, channels, 48, 48, generator=generator(0))
    made = augment_faces(faces, generator(1), side)
    assert made.shape == (16, channels, side, side)
    assert made.min() >= 0
    assert made.max() <= 1
    assert torch.isfinite(made).all()
    assert augment_faces(faces, generator(1)).shape == faces.shape


def test_the_seed_decides(faces: Tensor) -> None:
    """The same again with the same seed, another with another; the input is not touched."""
    before = faces.clone()
    made = augment_faces(faces, generator(1))
    assert torch.equal(made, augment_faces(faces, generator(1)))
    assert not torch.equal(made, augment_faces(faces, generator(2)))
    assert torch.equal(faces, before)


def test_about_half_are_mirrored(faces: Tensor) -> None:
    """The bright half changes sides in some and stays in others."""
    made = augment_faces(faces, generator(3))
    left = made[..., :20].mean((1, 2, 3)) > made[..., 28:].mean((1, 2, 3))
    assert 16 < int(left.sum()) < 48


def test_each_picture_is_changed_on_its_own(faces: Tensor) -> None:
    """No two of a batch get the same light and place."""
    made = augment_faces(faces, generator(4)).flatten(1)
    gaps = torch.cdist(made, made) + 10 * torch.eye(len(made))
    assert gaps.min() > 0.1


def test_a_part_of_some_is_covered() -> None:
    """Half of the pictures get a grey rectangle, none larger than a third of each side."""
    made = augment_faces(torch.ones(64, 1, 48, 48), generator(5))
    covered = (made == 0.5).flatten(1).sum(1)
    assert 16 < int((covered > 0).sum()) < 48
    assert covered.max() <= (48 * 0.34 + 1) ** 2


def test_some_are_of_poor_quality() -> None:
    """A far face and a codec take the finest detail of a part of the pictures, not of all."""
    board = (torch.arange(48)[:, None] + torch.arange(48)) % 2
    faces = board.float().expand(64, 1, 48, 48)
    detail = _degrade(faces, generator(6)).diff(dim=-1).abs().mean((1, 2, 3))
    assert 8 < int((detail < 0.8).sum()) < 40
    assert 16 < int((detail > 0.97).sum())
