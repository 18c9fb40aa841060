"""Several channels of sound as one, so that nothing cancels out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_factory import bursts
from numpy.typing import NDArray

from stream.media import SAMPLE_RATE, Samples
from stream.sources.mixing import Mixer

_VOICE = bursts(4, [(0.5, 1.5), (2, 3.5)], SAMPLE_RATE)
_SOUNDING = slice(SAMPLE_RATE, 3 * SAMPLE_RATE // 2)


def _noise(seed: int, level: float = 1e-3) -> Samples:
    return np.random.default_rng(seed).normal(0, level, len(_VOICE)).astype(np.float32)


def _mix(channels: list[Samples], block: int = 1024, weights: list[float] | None = None) -> Samples:
    shares = np.array(weights or [1 / len(channels)] * len(channels))
    mixer, sound = Mixer(shares, SAMPLE_RATE), np.stack(channels)
    blocks = range(0, sound.shape[1], block)
    return np.concatenate([mixer(sound[:, first : first + block]) for first in blocks])


def _level(sound: NDArray[np.floating]) -> float:
    """How loud it is in the middle of the first burst, against the voice alone."""
    return float(np.std(sound[_SOUNDING]) / np.std(_VOICE[_SOUNDING]))


@pytest.mark.parametrize("block", [160, 1024, 4608, 64_000])
def test_channels_out_of_phase_are_turned_round(block: int) -> None:
    """The voice is as loud as on either side, from its first syllable on."""
    mixed = _mix([_VOICE + _noise(1), -_VOICE + _noise(2)], block)
    assert _level(mixed) == pytest.approx(1, abs=0.05)
    onset = slice(int(0.52 * SAMPLE_RATE), int(0.6 * SAMPLE_RATE))
    assert np.std(mixed[onset]) == pytest.approx(np.std(_VOICE[onset]), rel=0.1)


def test_channels_that_have_much_in_common_are_averaged_as_ever() -> None:
    """To the bit what the weights say: usual recordings sound as before."""
    left, right = _VOICE + _noise(1, 0.02), 0.7 * _VOICE + _noise(2, 0.02)
    np.testing.assert_allclose(_mix([left, right]), (left + right) / 2, atol=1e-7)


def test_channels_with_nothing_in_common_are_averaged() -> None:
    """Two people with a microphone each, one of them much quieter, are both heard."""
    other = 0.2 * np.roll(_VOICE, SAMPLE_RATE)
    mixed, mean = _mix([_VOICE, other]), (_VOICE + other) / 2
    np.testing.assert_allclose(mixed[SAMPLE_RATE:], mean[SAMPLE_RATE:], atol=1e-7)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_one_side_alone_is_as_loud_as_it_was_spoken(side: int, noise: float) -> None:
    """A dead side does not halve the voice."""
    sides = [_VOICE if number == side else _noise(3, noise) for number in range(2)]
    assert _level(_mix(sides)) == pytest.approx(1, abs=0.02)


def test_who_speaks_into_the_quiet_side_is_still_heard() -> None:
    """No channel is ever left out, even one that was taken for dead."""
    loud = np.concatenate([_VOICE, np.zeros_like(_VOICE)])
    quiet = np.concatenate([np.zeros_like(_VOICE), 0.05 * _VOICE])
    mixed = _mix([loud, quiet])[len(_VOICE) :]
    assert _level(mixed) == pytest.approx(0.025, abs=0.002)


@pytest.mark.parametrize("channels", [3, 9, 32, 60])
def test_one_of_many_microphones_is_enough(channels: int) -> None:
    """The others, which hear almost nothing, do not make it fainter."""
    sounds = [_noise(number, 1e-3) for number in range(channels)]
    sounds[-1] = sounds[-1] + _VOICE
    assert _level(_mix(sounds)) == pytest.approx(1, abs=0.05)


def test_half_of_many_microphones_may_be_turned_round() -> None:
    """Their signs do not matter."""
    sounds = [(-1) ** number * _VOICE + _noise(number, 1e-3) for number in range(8)]
    assert _level(_mix(sounds)) == pytest.approx(1, abs=0.05)


def test_what_a_cinema_plays_as_rumbling_alone_is_heard() -> None:
    """A recorder may use the channel for a microphone."""
    silent = np.zeros_like(_VOICE)
    assert _level(_mix([silent, _VOICE], weights=[1.0, 0.0])) == pytest.approx(1, abs=0.02)


def test_a_change_makes_no_click() -> None:
    """A cable that breaks fades over; no step is larger than in a plain mean."""
    seconds = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    hum = (0.5 * np.sin(2 * np.pi * 100 * seconds)).astype(np.float32)
    turning = np.where(seconds < 2, hum, -hum).astype(np.float32)
    steps = np.abs(np.diff(_mix([hum, turning])))
    assert steps.max() < 1.5 * np.abs(np.diff(hum)).max()


def test_a_constant_voltage_is_no_sound() -> None:
    """It neither makes a channel the main one nor keeps it alive."""
    assert _level(_mix([_VOICE, np.full_like(_VOICE, 0.5)])) == pytest.approx(1, abs=0.02)


def test_what_is_no_number_stays_in_its_channel() -> None:
    """The other one is heard."""
    broken = np.full_like(_VOICE, np.nan)
    assert _level(_mix([broken, _VOICE])) == pytest.approx(1, abs=0.02)


@given(st.integers(2, 12), st.integers(0, 100), st.integers(1, 3000))
def test_the_mix_is_never_louder_than_the_loudest_sample(
    channels: int, seed: int, block: int
) -> None:
    """So it never clips what did not clip before."""
    random = np.random.default_rng(seed)
    sound = random.uniform(-1, 1, (channels, 3000)) * random.choice([0, 0.01, 1], (channels, 1))
    mixer = Mixer(np.full(channels, 1 / channels), SAMPLE_RATE)
    mixed = [mixer(sound[:, first : first + block]) for first in range(0, 3000, block)]
    assert np.abs(np.concatenate(mixed)).max() <= 1.0 + (channels - 1) * 0.1 + 1e-6
