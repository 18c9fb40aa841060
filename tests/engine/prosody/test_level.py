"""Tests of the level of a sound over time."""

from __future__ import annotations

import numpy as np
import pytest

from engine.prosody.level import LOWEST_LEVEL, levels, mean_level
from stream.media import SAMPLE_RATE


def tone(seconds: float, frequency: float = 200.0, amplitude: float = 1.0) -> np.ndarray:
    """A sine."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return amplitude * np.sin(2 * np.pi * frequency * time)


@pytest.mark.parametrize(("amplitude", "decibels"), [(1.0, 90.97), (0.1, 70.97), (0.01, 50.97)])
def test_a_sine_has_its_level(amplitude: float, decibels: float) -> None:
    """Root mean square over 2e-5 Pa: 20 log10(0.7071 / 2e-5) is 90.97 dB."""
    level, _ = levels(tone(1, amplitude=amplitude), 100)
    assert level == pytest.approx(decibels, abs=0.05)


def test_frames_are_8_ms_apart_and_in_the_middle() -> None:
    """As the definition has it for voices above 100 Hz."""
    level, times = levels(tone(1), 100)
    assert len(level) == len(times)
    assert np.diff(times) == pytest.approx(0.008, abs=1e-4)
    assert times[0] + times[-1] == pytest.approx(1, abs=0.002)


def test_the_mean_is_of_power() -> None:
    """90 and 70 dB half of the time each are 87 dB."""
    assert mean_level(np.array([90.0, 70.0])) == pytest.approx(87.03, abs=0.01)


def test_silence_and_a_constant_have_the_lowest_level() -> None:
    """A constant offset is no sound."""
    assert (levels(np.zeros(8000), 100)[0] == LOWEST_LEVEL).all()
    assert (levels(np.full(8000, 0.25), 100)[0] < -200).all()


def test_a_sound_that_is_too_short_has_no_frame() -> None:
    """The window is 64 ms."""
    assert len(levels(tone(0.06), 100)[0]) == 0
