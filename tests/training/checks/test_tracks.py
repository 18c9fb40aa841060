"""What is measured of a stretch of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import UserError
from tests.training.corpora_double import FPS, tone, write_media, write_wav
from training.checks.media import DECODED_SECONDS, measure
from training.datasets.clip import MediaCut


def test_whole_file(tmp_path: Path) -> None:
    """Length, level and number of pictures of a file come out; pictures are decoded for 2 s."""
    media = measure(MediaCut(write_media(tmp_path / "a.avi", 3.0)), audio=True, video=True)
    assert media.audio is not None
    assert media.video is not None
    assert media.audio.seconds == pytest.approx(3.0, abs=0.01)
    assert media.audio.peak == pytest.approx(float(abs(tone(1.0)).max()), abs=1e-3)
    assert (media.video.packets, media.video.decoded) == (3 * FPS, round(DECODED_SECONDS * FPS))
    assert (media.audio.damaged, media.video.damaged) == (0, 0)


def test_cut(tmp_path: Path) -> None:
    """Of a cut only what is between its ends counts."""
    path = write_media(tmp_path / "a.avi", 3.0)
    media = measure(MediaCut(path, 1.55, 2.35), audio=True, video=True)
    assert media.audio is not None
    assert media.video is not None
    assert media.audio.seconds == pytest.approx(0.8, abs=0.01)
    assert media.video.seconds == pytest.approx(0.8, abs=0.01)
    assert media.video.packets == 9  # those at 1.5 to 2.3 s, shown in part the first and last


@pytest.mark.parametrize("wanted", ["audio", "video"])
def test_absent_track(tmp_path: Path, wanted: str) -> None:
    """Where the wanted track is not there, that is no error, but None."""
    sound = wanted == "video"
    path = write_media(tmp_path / "a.mp4", audio=sound, video=not sound)
    media = measure(MediaCut(path), audio=wanted == "audio", video=wanted == "video")
    assert getattr(media, wanted) is None


def test_unreadable(tmp_path: Path) -> None:
    """What is no media is refused."""
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0" * 100)
    with pytest.raises(UserError, match="no readable audio or video"):
        measure(MediaCut(path), audio=True, video=True)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
def test_level_of_every_format(tmp_path: Path, subtype: str) -> None:
    """Full scale is the same in every sample format."""
    import soundfile

    path = tmp_path / "a.wav"
    soundfile.write(path, tone(0.3, peak=0.5), 16_000, subtype=subtype)
    track = measure(MediaCut(path), audio=True, video=False).audio
    assert track is not None
    assert track.peak == pytest.approx(0.5, abs=0.01)


def test_no_number_is_silence(tmp_path: Path) -> None:
    """Samples that are no numbers do not count as sound."""
    import numpy as np
    import soundfile

    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(1600, np.nan, np.float32), 16_000, subtype="FLOAT")
    track = measure(MediaCut(path), audio=True, video=False).audio
    assert track is not None
    assert track.peak == 0.0


def test_a_wav_has_no_pictures(tmp_path: Path) -> None:
    """A sound file opens although pictures are wanted too."""
    media = measure(MediaCut(write_wav(tmp_path / "a.wav")), audio=True, video=True)
    assert media.video is None
    assert media.audio is not None
