"""Tests of movement between frames."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.behaviour.measures import Series
from engine.behaviour.movement import hand_keeps_moving, motion_energy, swings
from engine.faces import Box
from stream.media import Image, VideoFrame

BOX = Box(140, 60, 180, 100)


def oscillation(
    cycles_per_second: float, degrees: float, rate: float = 10, seconds: float = 3
) -> Series:
    """A sine, sampled."""
    times = [index / rate for index in range(round(seconds * rate))]
    return Series(
        tuple(times),
        tuple(degrees * math.sin(2 * math.pi * cycles_per_second * time) for time in times),
    )


@pytest.mark.parametrize("cycles", [1.0, 1.5, 2.5])
def test_a_nod_is_found(cycles: float) -> None:
    """Quick turns to and fro, from about the first to the last."""
    found = swings(oscillation(cycles, 5), 3.0)
    assert found is not None
    start, end = found
    assert start < 1
    assert end > 2


@pytest.mark.parametrize(
    "series",
    [
        oscillation(1.5, 1.2),
        oscillation(0.2, 10),
        oscillation(1.5, 5, rate=3),
        Series((), ()),
        Series((0.0,), (1.0,)),
        Series(tuple(index / 10 for index in range(30)), tuple(float(i) for i in range(30))),
    ],
    ids=["small", "slow", "too few frames", "none", "one", "one way"],
)
def test_other_movement_is_no_nod(series: Series) -> None:
    """Small, slow or steady turns, or too few frames to tell."""
    assert swings(series, 3.0) is None


def test_one_look_down_is_no_nod() -> None:
    """Down and up once is not to and fro."""
    angles = [0, 0, -4, -8, -4, 0, 0, 0, 0, 0]
    assert swings(Series(tuple(i / 10 for i in range(10)), tuple(map(float, angles))), 3.0) is None


def frames(images: list[Image], step: float = 0.1) -> list[VideoFrame]:
    """Pictures at a steady rate."""
    return [VideoFrame(index * step, image) for index, image in enumerate(images)]


def square(x: int, size: int = 320) -> Image:
    """A bright square on black, at a place."""
    image = np.zeros((240, size, 3), np.uint8)
    image[80:120, x : x + 30] = 200
    return image


def test_more_movement_has_more_energy() -> None:
    """Nothing moves: 0; further moves change more pixels."""
    energies = [
        dict(motion_energy(frames([square(140), square(140 + shift)]), [BOX, BOX]))[0.1]
        for shift in (0, 8, 24)
    ]
    assert energies[0] == 0
    assert 0 < energies[1] < energies[2] < 1


def test_movement_elsewhere_does_not_count() -> None:
    """Only what is around the person."""
    assert motion_energy(frames([square(10), square(25)]), [BOX, BOX]) == [(0.1, 0.0)]


def test_cuts_gaps_and_lost_faces_are_left_out() -> None:
    """A film's cut, frames far apart, a frame without the face, another size."""
    white = np.full((240, 320, 3), 255, np.uint8)
    dark = np.zeros((240, 320, 3), np.uint8)
    assert motion_energy(frames([dark, white]), [BOX, BOX]) == []
    assert motion_energy(frames([square(140), square(150)], step=0.6), [BOX, BOX]) == []
    assert motion_energy(frames([square(140), square(150)]), [BOX, None]) == []
    assert motion_energy(frames([square(140), square(140, 400)]), [BOX, BOX]) == []
    assert motion_energy(frames([dark, dark]), [BOX, Box(-900, -900, -800, -800)]) == []
    assert motion_energy([], []) == []


LOOKS = (0.0, 5.0, 10.0, 15.0)


@pytest.mark.parametrize(
    ("x", "moves"),
    [
        ((0.0, 0.5, 0.1, 0.6), True),
        ((0.0, 0.5, 0.1, 0.1), True),
        ((0.0, 0.0, 0.5, 0.5), False),
        ((0.0, 0.4, 0.8, 1.2), False),
        ((0.0, 0.2, 0.0, 0.2), False),
        ((0.3, 0.3, 0.3, 0.3), False),
    ],
    ids=["to and fro", "with a rest", "put elsewhere", "one way", "holding something", "at rest"],
)
def test_a_hand_keeps_moving_or_not(x: tuple[float, ...], moves: bool) -> None:
    """To and fro, further than a hand that holds something shakes."""
    assert hand_keeps_moving(Series(LOOKS, x), Series(LOOKS, (1.0,) * 4), 0.3) == moves


def test_a_hand_that_is_hardly_seen_does_not_move() -> None:
    """Both coordinates must be known in four looks."""
    x = Series(LOOKS, (0.0, 0.5, 0.1, 0.6))
    assert not hand_keeps_moving(x, Series(LOOKS[:3], (1.0,) * 3), 0.3)
    assert not hand_keeps_moving(x, Series((), ()), 0.3)
