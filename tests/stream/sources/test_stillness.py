"""Pictures that stand still."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from device_doubles import noise

from stream.media import Image, VideoFrame
from stream.sources.stillness import Finding, StillFilter, Stillness


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


def _face(mouth: int, noise_level: float = 0.0, seed: int = 0) -> Image:
    """A picture whose mouth is so many rows open."""
    picture = np.full((360, 640, 3), 120, np.float32)
    picture[100:260, 260:380] = 190
    picture[220 : 220 + mouth, 300:340] = 40
    grain = np.random.default_rng(seed).normal(0, noise_level, picture.shape)
    return (picture + grain).clip(0, 255).astype(np.uint8)


def _filtered(pictures: list[tuple[float, Image]], **options: Any) -> tuple[list[float], bool]:
    """When the pictures that pass are shown, and whether the last ones stood still."""
    still = StillFilter(**options)
    passed = [one for time, image in pictures for one in still.push(VideoFrame(time, image))]
    return [frame.time for frame in passed + still.flush()], still.still


@pytest.mark.parametrize("rate", [1, 10, 25])
@pytest.mark.parametrize("noise_level", [0.0, 4.0])
def test_a_photograph_never_passes(rate: int, noise_level: float) -> None:
    """Whatever a lossy codec makes of it, at any rate."""
    times = [n / rate for n in range(4 * rate)]
    shown = [(time, _face(10, noise_level, n)) for n, time in enumerate(times)]
    assert _filtered(shown) == ([], True)


def test_a_face_that_moves_passes_whole_and_without_delay() -> None:
    """But for the first picture, which needs a second one."""
    still = StillFilter()
    assert still.push(VideoFrame(0.0, _face(0))) == []
    for number in range(1, 30):
        frame = VideoFrame(number / 15, _face(number % 15))
        assert still.push(frame)[-1] is frame
    assert still.holds_since is None


def test_a_short_pause_costs_no_picture() -> None:
    """Who holds still for a second and a half is seen for as long, a little later."""
    shown = [(n / 10, _face(n if n < 5 else 5 if n < 20 else n - 10)) for n in range(40)]
    assert _filtered(shown) == ([n / 10 for n in range(40)], False)


def test_what_moves_again_is_seen_at_once() -> None:
    """A call that had frozen goes on."""
    shown = [(n / 10, _face(n if n < 10 else 10 if n < 60 else n - 45)) for n in range(70)]
    times, still = _filtered(shown)
    assert times == [n / 10 for n in range(11)] + [n / 10 for n in range(60, 70)]
    assert not still


def test_a_slide_is_seen_once() -> None:
    """Each of them differs from the one before."""
    shown = [(n / 2, _face(4 * (n // 20))) for n in range(100)]
    assert _filtered(shown)[0] == [10.0, 20.0, 30.0, 40.0]


def test_pictures_of_another_size_differ() -> None:
    """The track has changed."""
    shown = [(n / 2, _face(5)[: 360 - 20 * (n % 2)]) for n in range(10)]
    assert _filtered(shown)[0] == [n / 2 for n in range(10)]


def test_of_a_live_stream_nothing_is_delayed() -> None:
    """What stands still passes until it is known to."""
    still = StillFilter(3.0, hold=False)
    passed = [bool(still.push(VideoFrame(n / 2, _face(5)))) for n in range(20)]
    assert passed == [True] * 6 + [False] * 14
    assert still.holds_since is None
    assert still.push(VideoFrame(10.0, _face(9)))
