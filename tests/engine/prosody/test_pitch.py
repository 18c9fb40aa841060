"""Tests of the pitch track on sounds of known pitch."""

from __future__ import annotations

import numpy as np
import pytest

from engine.prosody.pitch import PitchSearch, pitch_track
from stream.media import SAMPLE_RATE


def voice(seconds: float, frequency: float | np.ndarray, harmonics: int = 10) -> np.ndarray:
    """Harmonics that fall by 1/n, at most 7 kHz."""
    count = round(seconds * SAMPLE_RATE)
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(frequency, count)) / SAMPLE_RATE
    highest = float(np.max(frequency))
    return 0.1 * sum(np.sin(n * phase) / n for n in range(1, harmonics + 1) if n * highest < 7000)


@pytest.mark.parametrize("frequency", [80.0, 120.0, 210.0, 350.0, 570.0])
def test_a_steady_voice_has_its_pitch(frequency: float) -> None:
    """Within half a per cent in every frame but those at the edges."""
    track, times = pitch_track(voice(0.5, frequency), PitchSearch())
    assert len(track) == len(times) == 47
    assert track[2:-2] == pytest.approx(frequency, rel=0.005)


def test_a_glide_is_followed() -> None:
    """From 120 to 240 Hz, without jumping an octave."""
    glide = np.linspace(120, 240, SAMPLE_RATE)
    track, times = pitch_track(voice(1, glide), PitchSearch())
    expected = 120 + 120 * times
    assert track[2:-2] == pytest.approx(expected[2:-2], rel=0.02)


def test_noise_and_silence_are_unvoiced() -> None:
    """White noise has no period; digital silence has nothing."""
    noise = 0.1 * np.random.default_rng(1).standard_normal(SAMPLE_RATE)
    assert np.mean(pitch_track(noise, PitchSearch())[0] > 0) < 0.05
    assert not pitch_track(np.zeros(SAMPLE_RATE), PitchSearch())[0].any()


def test_a_pause_is_unvoiced() -> None:
    """Voice, then nearly nothing."""
    sound = np.concatenate([voice(0.5, 150.0), np.zeros(SAMPLE_RATE // 2)])
    sound += 1e-5 * np.random.default_rng(1).standard_normal(len(sound))
    track, times = pitch_track(sound, PitchSearch())
    assert (track[(times > 0.05) & (times < 0.45)] > 0).all()
    assert not track[times > 0.55].any()


def test_long_sounds_are_read_in_blocks_alike() -> None:
    """Frames at the border of two blocks are as the others."""
    track, _ = pitch_track(voice(3.0, 200.0), PitchSearch())
    assert len(track) > 256
    assert track[2:-2] == pytest.approx(200, rel=0.005)


def test_a_sound_that_is_too_short_has_no_frame() -> None:
    """The window is 40 ms."""
    assert len(pitch_track(voice(0.03, 200.0), PitchSearch())[0]) == 0
