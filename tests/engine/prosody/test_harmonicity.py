"""Tests of the harmonics-to-noise ratio on mixtures of known ratio."""

from __future__ import annotations

import numpy as np
import pytest

from engine.prosody.harmonicity import harmonicity
from stream.media import SAMPLE_RATE


def mixture(ratio: float, seconds: float = 2.0) -> np.ndarray:
    """A harmonic voice of 150 Hz and white noise, `ratio` dB below it."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    voice = sum(np.sin(2 * np.pi * 150 * n * time) / n for n in range(1, 8))
    noise = np.random.default_rng(1).standard_normal(len(time))
    scale = np.sqrt(np.mean(voice**2)) / 10 ** (ratio / 20)
    return 0.1 * (voice + scale * noise)


@pytest.mark.parametrize("ratio", [5.0, 10.0, 20.0])
def test_a_mixture_has_its_ratio(ratio: float) -> None:
    """Within 1.5 dB: a window of one period estimates noise with some bias."""
    assert harmonicity(mixture(ratio)).mean() == pytest.approx(ratio, abs=1.5)


def test_a_clear_voice_is_above_30_db() -> None:
    """Without any noise the ratio is bounded by how finely lags are read."""
    assert harmonicity(mixture(80)).mean() > 30


def test_silence_has_none() -> None:
    """Nor has a sound that is shorter than two periods of 75 Hz."""
    assert len(harmonicity(np.zeros(SAMPLE_RATE))) == 0
    assert len(harmonicity(mixture(20, 0.02))) == 0
