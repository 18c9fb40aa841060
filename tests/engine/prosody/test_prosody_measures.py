"""Tests of all measures together, on speech and on what is none."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from tiny_model import spoken

from engine.prosody import MEASURES, measure
from stream.media import SAMPLE_RATE, Samples


def named(samples: Samples) -> dict[str, float]:
    """Measures by name."""
    return dict(zip(MEASURES, measure(samples).tolist(), strict=True))


def test_real_speech_is_plausible() -> None:
    """A voice between 80 and 300 Hz, three to seven syllables a second, clearer than noise."""
    found = named(spoken(3.4))
    assert found["duration"] == pytest.approx(3.4, abs=0.01)
    assert 50 < found["avg_intensity"] < 80
    assert 4 < found["intensity_variation"] < 20
    assert 80 < found["avg_pitch"] < 300
    assert 0 < found["pitch_std"] < found["pitch_range"] < 525
    assert 2 < found["articulation_rate"] < 7
    assert 3 < found["mean_hnr"] < 25


def test_gain_moves_the_level_alone() -> None:
    """20 dB less are 20 dB less, and nothing else is another."""
    loud, quiet = measure(spoken()), measure(spoken() / 10)
    assert loud[1] - quiet[1] == pytest.approx(20, abs=0.01)
    assert np.delete(quiet, 1) == pytest.approx(np.delete(loud, 1), rel=1e-3)


@pytest.mark.parametrize("count", [0, 1, 100, 700, 1100, 16000])
def test_silence_has_its_duration_alone(count: int) -> None:
    """Whatever its length."""
    found = measure(np.zeros(count, np.float32))
    assert found[0] == pytest.approx(count / SAMPLE_RATE)
    assert np.isnan(found[1:]).all()


@pytest.mark.parametrize("count", [1, 2, 50, 400, 700, 1024, 1100, 2000, 3300])
def test_short_sounds_do_no_harm(count: int) -> None:
    """No warning and no infinity, from a single sample on."""
    noise = 0.1 * np.random.default_rng(1).standard_normal(count)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measure(noise.astype(np.float32))
    assert not np.isinf(found).any()


def test_a_click_is_no_voice() -> None:
    """One sample of full scale in a second of silence."""
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[8000] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = named(click)
    assert not np.isfinite(found["avg_pitch"])
    assert not np.isfinite(found["articulation_rate"])


def test_broken_samples_are_passed_over() -> None:
    """NaN and infinities are silence."""
    sound = spoken().copy()
    sound[100:110] = np.nan
    sound[200] = np.inf
    assert measure(sound) == pytest.approx(measure(spoken()), rel=0.05, abs=0.5)


def test_digital_silence_is_not_the_whole_variation() -> None:
    """A gate that cuts off noise makes frames of -300 dB; they count as 50 below the mean."""
    sound = np.concatenate([spoken(), np.zeros(SAMPLE_RATE, np.float32), spoken()])
    assert named(sound)["intensity_variation"] < 30


def test_a_long_utterance_costs_no_more_than_its_end() -> None:
    """Its duration is whole; the rest is of the last 30 seconds."""
    sound = np.tile(spoken(), 20)  # a minute
    began = time.process_time()
    found = named(sound)
    assert time.process_time() - began < 10
    assert found["duration"] == pytest.approx(60, abs=0.1)
    assert found["avg_pitch"] == pytest.approx(named(spoken())["avg_pitch"], rel=0.1)
