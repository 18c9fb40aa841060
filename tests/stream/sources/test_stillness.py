"""Pictures that stand still."""

from __future__ import annotations

import numpy as np
from device_doubles import noise

from stream.media import Image
from stream.sources.stillness import Finding, Stillness


def _push(stillness: Stillness, image: Image, start: float, end: float) -> list[Finding]:
    """What is found when a picture comes every half second; each is an array of its own."""
    times = np.arange(start, end, 0.5)
    found = [stillness.push(image.copy(), float(time)) for time in times]
    return [finding for finding in found if finding is not None]


def test_noise_is_no_stillness() -> None:
    """One pixel that differs is enough."""
    stillness, image = Stillness(), noise(1)
    for number in range(100):
        image = image.copy()
        image[0, 0, 0] = number
        assert stillness.push(image, number / 2) is None
    assert not stillness.frozen


def test_the_same_picture_for_ten_seconds_is_told_once() -> None:
    """The advice is to open the camera again; until something moves it stays frozen."""
    stillness = Stillness()
    assert _push(stillness, noise(1), 0, 10) == []
    assert not stillness.frozen
    assert _push(stillness, noise(1), 10, 100) == ["reopen"]
    assert (stillness.frozen, stillness.freezes) == (True, 1)
    stillness.push(noise(2), 100)
    assert not stillness.frozen


def test_a_picture_that_is_still_after_opening_again_is_left_alone() -> None:
    """A covered camera; what came in between, such as a logo, does not matter."""
    stillness = Stillness()
    assert _push(stillness, noise(1), 0, 11) == ["reopen"]
    stillness.pause()
    assert not stillness.frozen
    assert _push(stillness, noise(1), 12, 30) == []
    assert stillness.frozen
    _push(stillness, noise(2), 30, 32)
    assert _push(stillness, noise(1), 32, 3000) == ["still"]


def test_slides_are_not_opened_again_and_again() -> None:
    """A virtual camera that shows another picture every minute: once in ten minutes."""
    stillness = Stillness()
    found = [_push(stillness, noise(n), 60 * n, 60 * n + 60) for n in range(25)]
    assert [n for n, finding in enumerate(found) if finding == ["reopen"]] == [0, 10, 20]
    assert all(finding == ["still"] for n, finding in enumerate(found) if n % 10)
    assert stillness.freezes == 25
