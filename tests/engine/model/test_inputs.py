"""Pixels and windows as the encoders take them."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.densenet import DenseNetConfig
from engine.model.inputs import audio_windows, clean_samples, picture_tensor, window_starts
from engine.model.spec import AudioSpec, VideoSpec
from stream.media import SAMPLE_RATE

GREY = VideoSpec()
COLOUR = VideoSpec(size=32, densenet=DenseNetConfig())
SHORT = AudioSpec(window_seconds=0.002, hop_seconds=0.001, max_windows=5)
WINDOW, HOP = 32, 16
"""Samples of a window and of a hop of `SHORT`."""


def noise(*shape: int) -> np.ndarray:
    """Random pixels."""
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_a_grey_picture_of_the_right_size_keeps_its_pixels() -> None:
    """Only the scale changes: (p / 255 - mean) / std."""
    pictures = noise(3, 48, 48)
    tensor = picture_tensor(pictures, GREY)
    assert (tensor.shape, tensor.dtype) == ((3, 1, 48, 48), torch.float32)
    expected = (pictures[:, None].astype(np.float32) / 255 - GREY.mean) / GREY.std
    np.testing.assert_allclose(tensor.numpy(), expected, atol=1e-6)


def test_colour_becomes_grey_as_opencv_has_it() -> None:
    """Whether the grey was made before, as in a data set, or here makes no difference."""
    picture = noise(48, 48, 3)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    assert torch.equal(picture_tensor([picture], GREY), picture_tensor(grey[None], GREY))


def test_red_is_the_first_channel() -> None:
    """Colours keep the order that torchvision's weights expect."""
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[..., 0] = 255
    tensor = picture_tensor([picture], COLOUR)
    assert tensor.shape == (1, 3, 32, 32)
    assert (tensor[0, 0] > 0).all()
    assert (tensor[0, 1:] < 0).all()


def test_grey_fills_three_channels() -> None:
    """A network for colour sees a grey picture three times."""
    tensor = picture_tensor(noise(1, 32, 32), COLOUR)
    assert torch.equal(tensor[:, 0], tensor[:, 1])
    assert torch.equal(tensor[:, 0], tensor[:, 2])


@pytest.mark.parametrize("side", [20, 200])
def test_any_size_is_fitted(side: int) -> None:
    """A ramp stays a ramp, enlarged or shrunk: its ends and its middle keep their grey."""
    ramp = np.tile(np.linspace(0, 255, side).astype(np.uint8), (side, 1))
    row = (picture_tensor(ramp[None], GREY)[0, 0, 24] * GREY.std + GREY.mean) * 255
    assert row[0] < 12
    assert row[-1] > 243
    assert row[23:25].mean() == pytest.approx(127, abs=4)


def test_no_pictures_give_an_empty_batch() -> None:
    """The shape is there even with nothing in it."""
    assert picture_tensor([], GREY).shape == (0, 1, 48, 48)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 400))
def test_windows_cover_the_sound(count: int) -> None:
    """Equal pieces of the sound in order, zeros after its end, none missing until the limit."""
    samples = np.arange(1, count + 1, dtype=np.float32)
    windows = audio_windows(samples, SHORT)
    assert 1 <= len(windows) <= SHORT.max_windows
    assert {len(window) for window in windows} == {WINDOW}
    starts = [int(window[0]) - 1 for window in windows]
    padded = np.concatenate([samples, np.zeros(WINDOW, np.float32)])
    for start, window in zip(starts, windows, strict=True):
        np.testing.assert_array_equal(window, padded[start : start + WINDOW])
    assert starts[0] == 0
    assert starts[-1] + WINDOW >= count
    if len(windows) < SHORT.max_windows:
        assert starts == [HOP * index for index in range(len(windows))]


def test_a_long_sound_is_sampled_uniformly() -> None:
    """Ten minutes give no more windows than the spec allows, the last ending with the sound."""
    spec = AudioSpec()
    samples = np.zeros(600 * SAMPLE_RATE, np.float32)
    samples[-1] = 1
    windows = audio_windows(samples, spec)
    assert len(windows) == spec.max_windows
    assert windows[-1][-1] == 1


@given(st.integers(0, 400), st.integers(0, 400))
def test_windows_of_a_growing_sound_stay(count: int, more: int) -> None:
    """What was a whole window of a sound is on the grid of the longer sound, too."""
    grid = set(range(0, 10_000, HOP))
    assert set(window_starts(count + more, SHORT)) <= grid
    whole = [start for start in window_starts(count, SHORT) if start + WINDOW <= count]
    if len(window_starts(count + more, SHORT)) < SHORT.max_windows:
        assert set(whole) <= set(window_starts(count + more, SHORT))


def test_short_and_empty_sound() -> None:
    """A fifth of a second is padded to one window; no sound has no window."""
    (window,) = audio_windows(np.ones(3200, np.float32), AudioSpec())
    assert len(window) == 2 * SAMPLE_RATE
    assert window.sum() == 3200
    assert audio_windows(np.zeros(0, np.float32), AudioSpec()) == []


def test_a_hop_as_long_as_the_window_leaves_no_overlap() -> None:
    """The paper's windows."""
    spec = dataclasses.replace(SHORT, hop_seconds=SHORT.window_seconds)
    samples = np.arange(3 * WINDOW, dtype=np.float32)
    np.testing.assert_array_equal(np.concatenate(audio_windows(samples, spec)), samples)


def test_broken_samples_become_sound() -> None:
    """NaN is silence, what is beyond full scale is full scale, the rest is untouched."""
    broken = np.array([0.25, np.nan, np.inf, -np.inf, 7.0, -7.0, -1.0], np.float64)
    cleaned = clean_samples(broken)
    assert cleaned.dtype == np.float32
    assert cleaned.tolist() == [0.25, 0.0, 1.0, -1.0, 1.0, -1.0, -1.0]


def test_each_channel_has_a_scale_of_its_own() -> None:
    """As ImageNet's weights want it; one number is of all channels."""
    three = dataclasses.replace(GREY.densenet, in_channels=3)
    each = dataclasses.replace(
        GREY, densenet=three, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
    )
    picture = np.full((1, 48, 48, 3), (255, 0, 51), np.uint8)
    seen = picture_tensor(picture, each)[0, :, 0, 0]
    expected = [(1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (0.2 - 0.406) / 0.225]
    assert seen.tolist() == pytest.approx(expected, abs=1e-5)
    one = dataclasses.replace(each, mean=0.5, std=0.25)
    same = dataclasses.replace(each, mean=(0.5,) * 3, std=(0.25,) * 3)
    assert torch.equal(picture_tensor(picture, one), picture_tensor(picture, same))
