"""Functionals of the real openSMILE."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from opensmile.core.define import FeatureLevel, FeatureSet
from opensmile.core.smile import Smile
from tiny_model import spoken

from engine.model.smile import OpenSmile
from engine.model.spec import FEATURE_SETS, AudioSpec
from stream.media import SAMPLE_RATE, Samples


def tone(pitch: float, seconds: float = 2.0, level: float = 0.3) -> Samples:
    """A tone with overtones, as a voice has."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    waves = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 6))
    return (level * waves).astype(np.float32)


@pytest.mark.parametrize("feature_set", FEATURE_SETS)
def test_functionals_of_a_tone(feature_set: str) -> None:
    """As many as the set has, all finite, the same again from a fresh openSMILE."""
    spec = AudioSpec(feature_set=feature_set)
    windows = [tone(150), tone(300)]
    values = OpenSmile(spec)(windows)
    assert (values.shape, values.dtype) == ((2, FEATURE_SETS[feature_set]), np.float32)
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(values, OpenSmile(spec)(windows))
    assert not np.array_equal(values[0], values[1])


def test_functionals_hear_the_pitch() -> None:
    """The first of eGeMAPSv02 is the mean pitch in semitones above 27.5 Hz."""
    low, high = OpenSmile(AudioSpec())([tone(150), tone(300)])[:, 0]
    assert low == pytest.approx(12 * np.log2(150 / 27.5), abs=0.5)
    assert high - low == pytest.approx(12, abs=0.5)


@pytest.mark.parametrize("feature_set", FEATURE_SETS)
def test_functionals_of_silence_are_finite(feature_set: str) -> None:
    """What is undefined without a voice is 0."""
    spec = AudioSpec(feature_set=feature_set)
    values = OpenSmile(spec)([np.zeros(2 * SAMPLE_RATE, np.float32)])
    assert np.isfinite(values).all()


@pytest.mark.parametrize("feature_set", FEATURE_SETS)
def test_they_are_those_of_the_package(feature_set: str) -> None:
    """Bit for bit, also of what is too loud or too short, whether or not it was made ready."""
    ours = OpenSmile(AudioSpec(feature_set=feature_set))
    package = Smile(FeatureSet[feature_set], FeatureLevel.Functionals)
    for sound in (spoken(2.0), 3 * spoken(1.0), spoken(2.0)[::-1], spoken(1.0)[:100]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # too short
            expected = package.process_signal(sound, SAMPLE_RATE).to_numpy()
        with np.errstate(invalid="ignore"):
            found = ours([sound])
        np.testing.assert_array_equal(found, np.nan_to_num(expected, posinf=0.0, neginf=0.0))
        ours.get_ready()


def test_it_is_made_ready_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a window takes what is ready."""
    made = []
    make = Smile._smile

    def count(self: Smile, **options: object) -> object:
        made.append(1)
        return make(self, **options)

    smile = OpenSmile(AudioSpec())
    monkeypatch.setattr(Smile, "_smile", count)
    smile.get_ready()
    smile.get_ready()
    smile([spoken(1.0)])
    assert len(made) == 1
    smile([spoken(1.0)])
    assert len(made) == 2
