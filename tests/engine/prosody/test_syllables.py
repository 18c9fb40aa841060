"""Tests of the articulation rate on bursts that are like syllables."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.prosody.syllables import articulation_rate
from stream.media import SAMPLE_RATE


def babble(rate: float, count: int, pause: float = 0.0) -> np.ndarray:
    """`count` voiced bursts, `rate` a second, with a pause in the middle."""
    seconds = count / rate
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    voice = sum(np.sin(2 * np.pi * 150 * n * time) / n for n in range(1, 8))
    swell = 0.05 + 0.95 * np.sin(np.pi * rate * time) ** 2
    sound = 0.1 * voice * swell
    half = len(sound) // 2
    quiet = np.zeros(round(pause * SAMPLE_RATE))
    noise = 1e-5 * np.random.default_rng(1).standard_normal(len(sound) + len(quiet))
    return np.concatenate([sound[:half], quiet, sound[half:]]) + noise


@pytest.mark.parametrize("rate", [2.0, 4.0, 5.5])
def test_bursts_are_counted(rate: float) -> None:
    """All but the last one, as the published script has it."""
    count = round(6 * rate)
    expected = (count - 1) / (count / rate)
    assert articulation_rate(babble(rate, count)) == pytest.approx(expected, rel=0.06)


def test_a_pause_is_not_speaking() -> None:
    """A second of silence in between changes the rate by little."""
    without, with_pause = babble(4, 16), babble(4, 16, pause=1.0)
    assert articulation_rate(with_pause) == pytest.approx(articulation_rate(without), rel=0.1)


def test_noise_and_silence_have_no_syllable() -> None:
    """Bursts must be voiced."""
    assert math.isnan(articulation_rate(np.zeros(SAMPLE_RATE)))
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    noise = np.random.default_rng(1).standard_normal(len(time))
    bursts = 0.1 * noise * (0.05 + np.sin(np.pi * 4 * time) ** 2)
    rate = articulation_rate(bursts)
    assert math.isnan(rate) or rate < 2
    assert math.isnan(articulation_rate(noise[:1000]))
