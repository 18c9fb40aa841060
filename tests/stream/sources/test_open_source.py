"""Addresses of sources."""

from __future__ import annotations

from pathlib import Path

import pytest
from media_factory import tone, write_media

from stream.errors import UserError
from stream.sources import open_source
from stream.sources.camera import CameraSource
from stream.sources.file import FileSource
from stream.sources.network import NetworkSource


def test_an_address_chooses_the_kind_of_source() -> None:
    """Nothing is opened yet."""
    assert isinstance(open_source("talk.mp4"), FileSource)
    assert isinstance(open_source(Path("talk.mp4")), FileSource)
    assert isinstance(open_source("rtsp://host/door"), NetworkSource)
    assert isinstance(open_source("camera://0"), CameraSource)


def test_a_camera_without_pictures_is_a_microphone() -> None:
    """Sound alone needs no camera."""
    source = open_source("camera://0", video=False)
    assert (source.name, source.has_audio, source.has_video) == ("microphone", True, False)


def test_a_participant_is_handed_on() -> None:
    """Who speaks is the caller's to say."""
    assert open_source("talk.mp4", participant="ann").participant == "ann"
    assert open_source("camera://1", participant="ann").participant == "ann"


async def test_a_file_address_may_hold_escaped_characters(tmp_path: Path) -> None:
    """file:// addresses are URLs, paths are not."""
    path = write_media(tmp_path / "my talk.wav", sound=tone(1), audio_codec="pcm_s16le")
    for address in (path.as_uri(), str(path)):
        async with open_source(address) as source:
            assert source.has_audio


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://host/talk.mp4", "cannot read http:// addresses; give a path"),
        ("camera://front", "no camera 'front'; give its number"),
        ("camera://", "no camera ''; give its number"),
        ("rtsp://", "names no host; write rtsp://HOST/PATH"),
        ("rtsp://[::1/door", "names no host; write rtsp://HOST/PATH"),
    ],
)
def test_a_wrong_address_says_what_would_be_right(address: str, said: str) -> None:
    """One line, with the next step."""
    with pytest.raises(UserError) as raised:
        open_source(address)
    assert said in str(raised.value)


def test_wanting_neither_sound_nor_pictures_is_refused() -> None:
    """The message names the options."""
    with pytest.raises(UserError, match="leave out --no-audio or --no-video"):
        open_source("talk.mp4", audio=False, video=False)


def test_an_unknown_pace_is_refused() -> None:
    """The message lists the paces there are."""
    with pytest.raises(UserError, match="--pace real or --pace max"):
        open_source("talk.mp4", pace="fast")  # type: ignore[arg-type]
