"""What is kept of a clip is what the DenseNet and openSMILE take live."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from clip_factory import clock_picture, clock_sound, whole, write_film

from engine.model.inputs import picture_tensor
from engine.model.spec import VideoSpec, compact, paper
from stream.errors import UserError
from stream.media import SAMPLE_RATE, Image, VideoFrame
from training.clips.cache import Entry
from training.clips.inputs import (
    ClipPreparer,
    PreparedClip,
    clip_pictures,
    clip_windows,
    pack,
    unpack,
)
from training.datasets.clip import Clip, MediaCut

AUDIO = compact().audio
FRAME = dataclasses.replace(compact().video, source="frame", frames=8)


def scene(number: int, height: int = 180, width: int = 320) -> Image:
    """A smooth coloured picture that differs by its number."""
    y, x = np.mgrid[:height, :width]
    planes = (x * 200 / width + number, y * 200 / height, np.full((height, width), 3.0 * number))
    return np.stack(planes, axis=-1).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("spec", [FRAME, paper().video], ids=["grey", "colour"])
def test_kept_pictures_give_the_tensor_of_the_frames(spec: VideoSpec) -> None:
    """Fitting first and normalising later is the same to the last bit."""
    frames = [VideoFrame(number / 10, scene(number)) for number in range(3)]
    kept = clip_pictures(frames, spec, None)
    assert all(picture.dtype == np.uint8 for picture in kept)
    live = picture_tensor([frame.image for frame in frames], spec)
    assert torch.equal(picture_tensor(kept, spec), live)


def test_small_pictures_come_back_as_they_were() -> None:
    """Raw, with the functionals, the prosody and the reasons."""
    pictures = clip_pictures([VideoFrame(0, scene(n)) for n in range(5)], FRAME, None)
    functionals = np.random.default_rng(0).normal(size=(3, 88)).astype(np.float32)
    prosody = np.array([1.5, np.nan], np.float32)
    entry = pack(PreparedClip(tuple(pictures), functionals, prosody, ("audio: odd",)))
    clip = unpack(entry, AUDIO)
    assert np.array_equal(np.stack(clip.pictures), np.stack(pictures))
    assert np.array_equal(clip.functionals, functionals)
    assert clip.prosody is not None
    assert np.array_equal(clip.prosody, prosody, equal_nan=True)
    assert clip.reasons == ("audio: odd",)


def test_large_pictures_are_kept_as_jpeg() -> None:
    """A tenth of the bytes, in order, in RGB, within the noise of a codec."""
    spec = paper().video
    pictures = clip_pictures([VideoFrame(n, scene(n)) for n in range(64)], spec, None)
    entry = pack(PreparedClip(tuple(pictures), np.zeros((0, 6373), np.float32)))
    size = sum(values.nbytes for values in entry.tensors.values())
    assert size < 64 * 336 * 336 * 3 / 10
    back = unpack(entry, paper().audio).pictures
    assert len(back) == 64
    for one, other in zip(back, pictures, strict=True):
        assert np.abs(one.astype(int) - other).mean() < 2


def test_a_clip_of_nothing_comes_back_empty() -> None:
    """Absent pictures and sound have no tensors, and the width is the spec's."""
    nothing = np.zeros((0, 88), np.float32)
    entry = pack(PreparedClip((), nothing, reasons=("video: gone",)))
    assert not entry.tensors
    clip = unpack(entry, AUDIO)
    assert (clip.pictures, clip.functionals.shape, clip.prosody) == ((), (0, 88), None)


def test_a_damaged_picture_is_said() -> None:
    """A picture in the cache that is none is the user's to remove."""
    entry = Entry({"jpeg/0000": np.zeros(10, np.uint8)}, {"reasons": "[]"})
    with pytest.raises(UserError, match="delete"):
        unpack(entry, AUDIO)


def test_a_muted_microphone_is_not_heard() -> None:
    """As live: silence and no sound give no windows, a whisper does."""
    assert clip_windows(np.zeros(SAMPLE_RATE, np.float32), AUDIO) == []
    assert clip_windows(np.zeros(0, np.float32), AUDIO) == []
    assert len(clip_windows(np.full(SAMPLE_RATE, 1e-3, np.float32), AUDIO)) == 1


def test_wild_samples_are_cleaned() -> None:
    """NaN and values over full scale do not reach openSMILE."""
    samples = np.full(SAMPLE_RATE, 7.0, np.float32)
    samples[::3] = np.nan
    (window,) = clip_windows(samples, AUDIO)
    assert set(np.unique(window)) == {0.0, 1.0}


def test_faces_need_a_detector() -> None:
    """A spec of faces without a detector is a mistake of the caller's."""
    with pytest.raises(ValueError, match="detector"):
        clip_pictures([VideoFrame(0, clock_picture(0))], compact().video, None)


def test_a_film_is_prepared(tmp_path: Path) -> None:
    """Pictures at the spec's size, a row of functionals for each window, and no complaint."""
    film = write_film(tmp_path / "film.avi", 4.0, sound=clock_sound(4.0))
    clip = ClipPreparer(FRAME, AUDIO, None)(whole(film))
    assert [picture.shape for picture in clip.pictures] == [(48, 48)] * FRAME.frames
    assert clip.functionals.shape == (3, 88)
    assert np.isfinite(clip.functionals).all()
    assert clip.reasons == ()


def test_reasons_name_no_path(tmp_path: Path) -> None:
    """They are kept for a clip wherever it lies; live's advice means nothing here."""
    film = write_film(tmp_path / "film.mp4", 0.5)
    prepare = ClipPreparer(FRAME, AUDIO, None)
    assert prepare(whole(film)).reasons == ("audio: FILE has no audio track",)
    missing = Clip(MediaCut(tmp_path / "none"), None)
    assert prepare(missing).reasons == ("video: no file FILE",)


def test_silence_is_said(tmp_path: Path) -> None:
    """A track of zeros is absent, as live."""
    sound = np.zeros(SAMPLE_RATE, np.float32)
    film = write_film(tmp_path / "s.wav", picture=None, sound=sound)
    clip = ClipPreparer(FRAME, AUDIO, None)(Clip(None, MediaCut(film)))
    assert len(clip.functionals) == 0
    assert clip.reasons == ("audio: silence",)
