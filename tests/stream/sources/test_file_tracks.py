"""Which tracks of a container to read, where it has several of a kind."""

from __future__ import annotations

import dataclasses
import logging
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_factory import SOUND_RATE, grey, tone, write_media
from numpy.typing import NDArray

from stream.errors import UserError
from stream.media import AudioChunk, Samples
from stream.sources import open_source
from stream.sources.container import Location, open_media
from stream.sources.sounding import sounding
from stream.sources.tracks import TrackChoice


def _write(
    path: Path, sounds: list[Samples], *, default: int | None = None, codec: str = "flac"
) -> Path:
    """A file with several sound tracks."""
    with av.open(path, "w") as container:
        tracks = [container.add_stream(codec, rate=SOUND_RATE, layout="mono") for _ in sounds]
        for number, track in enumerate(tracks):
            track.disposition = av.stream.Disposition(int(number == default))
            track.metadata["language"] = ("eng", "deu", "fra")[number % 3]
        for track, sound in zip(tracks, sounds, strict=True):
            frame = av.AudioFrame.from_ndarray(_block(sound), format="s16", layout="mono")
            frame.sample_rate, frame.pts = SOUND_RATE, 0
            frame.time_base = Fraction(1, SOUND_RATE)
            for piece in (frame, None):
                container.mux(track.encode(piece))
    return path


def _block(sound: Samples) -> NDArray[np.int16]:
    return (sound[None] * 32767).astype(np.int16)


def _location(path: Path, audio: int | None = None, video: int | None = None) -> Location:
    return dataclasses.replace(Location.of_file(path), tracks=TrackChoice(audio, video))


def _track(location: Location) -> int:
    """Index of the sound track that is read."""
    media = open_media(location, audio=True, video=True)
    with closing(media.container):
        assert media.audio is not None
        return media.audio.index


def _without_decoder(path: Path, number: int) -> Path:
    """A Matroska file whose track of that number, from 0, has a codec that nobody knows."""
    content = path.read_bytes().split(b"A_FLAC")
    names = [b"A_XXXX" if n == number else b"A_FLAC" for n in range(len(content) - 1)]
    whole = b"".join(part + name for part, name in zip(content, [*names, b""], strict=True))
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize("unknown", [0, 1])
def test_the_track_that_can_be_decoded_is_read(tmp_path: Path, unknown: int) -> None:
    """Also where another one is the default, or the better one but for that."""
    path = _write(tmp_path / "two.mkv", [tone(1), tone(1)], default=unknown)
    assert _track(Location.of_file(_without_decoder(path, unknown))) == 1 - unknown


def test_a_file_none_of_whose_tracks_can_be_decoded_says_so(tmp_path: Path) -> None:
    """It is not said that it had none."""
    path = _without_decoder(_write(tmp_path / "one.mkv", [tone(1)]), 0)
    with pytest.raises(UserError, match="neither sound nor pictures that can be decoded"):
        _track(Location.of_file(path))


def test_the_default_track_is_read(tmp_path: Path) -> None:
    """As players do."""
    path = _write(tmp_path / "two.mkv", [tone(1), tone(1)], default=1)
    assert _track(Location.of_file(path)) == 1


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_track_that_was_asked_for_is_read(tmp_path: Path, number: int) -> None:
    """Whatever else would be better."""
    path = _write(tmp_path / "three.mkv", [tone(1), tone(1), tone(1)], default=1)
    assert _track(_location(path, audio=number)) == number - 1


def test_a_number_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    """One line is enough to choose by."""
    path = _without_decoder(_write(tmp_path / "two.mkv", [tone(1), tone(1)]), 1)
    with pytest.raises(UserError) as raised:
        _track(_location(path, audio=9))
    assert str(raised.value) == (
        f"audio track of {path}: number 9 does not exist; there is 1 (flac, mono, eng), "
        "2 (cannot be decoded, deu)"
    )
    with pytest.raises(UserError, match="number 2 cannot be decoded"):
        _track(_location(path, audio=2))


def test_a_track_of_pictures_can_be_chosen(tmp_path: Path) -> None:
    """There is but one, and it can be asked for."""
    path = write_media(tmp_path / "mute.mp4", pictures=[(n / 25, grey(90)) for n in range(9)])
    media = open_media(_location(path, video=1), audio=False, video=True)
    media.container.close()
    with pytest.raises(UserError, match=r"number 2 does not exist; there is 1 \(h264, 64x48"):
        open_media(_location(path, video=2), audio=False, video=True)


async def _loudness(path: Path, audio_track: int | None = None) -> float:
    async with open_source(path, audio_track=audio_track) as source:
        sounds = [item.samples async for item in source if isinstance(item, AudioChunk)]
    return float(np.abs(np.concatenate(sounds)).max())


@pytest.mark.parametrize("noise", [0.0, 2e-4])
async def test_a_silent_track_gives_way_to_one_that_sounds(
    tmp_path: Path, noise: float, caplog: pytest.LogCaptureFixture
) -> None:
    """That is said, and what was asked for is read silent or not."""
    silent = np.random.default_rng(0).uniform(-noise, noise, SOUND_RATE).astype(np.float32)
    path = _write(tmp_path / "two.mkv", [silent, tone(1)], default=0)
    assert await _loudness(path) > 0.4
    assert "audio track 1" in caplog.text
    assert "is silent: track 2 (flac, mono, deu) is used" in caplog.text
    assert await _loudness(path, 1) < 1e-3


def test_a_main_track_that_sounds_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However faint it is, and however loud another one."""
    caplog.set_level(logging.WARNING)
    path = _write(tmp_path / "two.mkv", [tone(1, level=0.01), tone(1)], default=0)
    assert sounding(Location.of_file(path)) is None
    assert caplog.text == ""


def test_two_silent_tracks_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is heard, and the reason is there to read."""
    path = _write(tmp_path / "two.mkv", [tone(1, level=0), tone(1, level=0)])
    assert sounding(Location.of_file(path)) is None
    assert "is silent at its beginning" in caplog.text
