"""Fixed windows of a video without sound."""

from __future__ import annotations

import pytest

from stream.segmenter import Boundary
from stream.windows import FixedWindows


def _cut(seconds: float, times: list[float]) -> list[Boundary]:
    windows = FixedWindows(seconds)
    return [b for time in times for b in windows.push(time)] + windows.flush()


def test_windows_are_equal_and_touch_and_the_last_ends_with_its_picture() -> None:
    """Ten seconds of pictures make two whole windows and a rest."""
    cut = _cut(4.0, [n / 10 for n in range(100)])
    assert [(b.start, b.end) for b in cut] == [(0, 4), (4, 8), (8, pytest.approx(9.94))]


def test_one_picture_makes_one_short_window() -> None:
    """A video of one frame still gives an utterance."""
    assert _cut(4.0, [2.0]) == [Boundary(2.0, 2.04)]


def test_windows_without_a_picture_are_left_out() -> None:
    """A pause of an hour gives no empty utterances."""
    assert _cut(4.0, [0.0, 3600.0]) == [Boundary(0.0, 4.0), Boundary(3600.0, 3600.04)]


def test_no_pictures_make_no_window() -> None:
    """Flushing right away is no error, and neither is flushing twice."""
    windows = FixedWindows()
    assert windows.flush() == []
    windows.push(0.0)
    windows.flush()
    assert windows.flush() == []


def test_a_window_without_length_is_refused() -> None:
    """The message names the setting."""
    with pytest.raises(ValueError, match="window_seconds"):
        FixedWindows(0)
