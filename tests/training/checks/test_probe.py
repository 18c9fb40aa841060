"""Faults of single clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.corpora_double import FAULTS, SECONDS, tone, write_media, write_wav
from training.checks.faults import ClipFault
from training.checks.probe import LONGEST_SECONDS, inspect
from training.datasets.clip import Clip, MediaCut

BOTH = ("audio", "video")


def whole(path: Path) -> Clip:
    """Sound and pictures of one whole file, as in MELD."""
    return Clip(video=MediaCut(path), audio=MediaCut(path))


def probe(clip: Clip, expected_seconds: float | None = None) -> ClipFault | None:
    """The only fault of a clip; None where it has none."""
    faults = inspect(clip, expected_seconds)
    assert len(faults) <= 1
    return faults[0] if faults else None


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_sound_clip(tmp_path: Path, suffix: str) -> None:
    """A clip as long as the corpus says has no fault, nor one whose length it does not say."""
    path = write_media(tmp_path / f"dia0_utt0.{suffix}")
    assert inspect(whole(path), SECONDS) == ()
    assert probe(whole(path), SECONDS) is None
    assert probe(whole(path)) is None


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
@pytest.mark.parametrize(
    ("injected", "kind", "lost"),
    [
        ("missing", "missing", BOTH),
        ("no bytes", "zero length", BOTH),
        ("text", "corrupt", BOTH),
        ("overwritten", "corrupt", BOTH),
        ("silent", "silent", ("audio",)),
        ("no audio", "no audio", ("audio",)),
        ("no video", "no video", ("video",)),
        ("too long", "mis-cut", BOTH),
    ],
)
def test_each_fault(
    tmp_path: Path, suffix: str, injected: str, kind: str, lost: tuple[str, ...]
) -> None:
    """Every fault is found by its kind, and only what it spoils is lost."""
    path = write_media(tmp_path / f"dia0_utt0.{suffix}")
    FAULTS[injected](path)
    fault = probe(whole(path), SECONDS)
    assert fault is not None
    assert (fault.kind, fault.modalities) == (kind, lost)
    assert path.name in fault.detail


def test_two_faults(tmp_path: Path) -> None:
    """A clip may have several, each of which says what it spoils; the worst comes first."""
    path = write_media(tmp_path / "a.mp4", SECONDS + 1.5, audio=False)
    assert [(fault.kind, fault.modalities) for fault in inspect(whole(path), SECONDS)] == [
        ("no audio", ("audio",)),
        ("mis-cut", ("video",)),
    ]


def test_too_short(tmp_path: Path) -> None:
    """A clip that is much shorter than the corpus says is cut wrongly."""
    fault = probe(whole(write_media(tmp_path / "a.mp4")), 3.0)
    assert fault is not None
    assert fault.kind == "mis-cut"
    assert "has 0.60 s, the corpus says 3.00 s" in fault.detail


@pytest.mark.parametrize("expected", [LONGEST_SECONDS + 1, None, 0.0])
def test_absurd_length(tmp_path: Path, expected: float | None) -> None:
    """A clip longer than any utterance is cut wrongly even where the corpus's times agree."""
    path = write_media(tmp_path / "a.mp4", LONGEST_SECONDS + 1, fps=1, rate=8000)
    fault = probe(whole(path), expected)
    assert fault is not None
    assert (fault.kind, fault.modalities) == ("mis-cut", BOTH)


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_cut_off(tmp_path: Path, share: float) -> None:
    """A wav or avi that stops early is found by its length, an mp4 without index by opening it."""
    for name, kind in (("a.wav", "mis-cut"), ("a.avi", "mis-cut"), ("a.mp4", "corrupt")):
        path = tmp_path / name
        write = write_wav if path.suffix == ".wav" else write_media
        write(path, 3.0)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        clip = Clip(None if path.suffix == ".wav" else MediaCut(path), MediaCut(path))
        fault = probe(clip, 3.0)
        assert fault is not None
        assert fault.kind == kind


def test_damage_in_the_middle(tmp_path: Path) -> None:
    """Noise in the second half second is found although the file opens and has its full length."""
    path = write_media(tmp_path / "a.mp4", 3.0)
    content = bytearray(path.read_bytes())
    low, high = int(0.2 * len(content)), int(0.4 * len(content))
    content[low:high] = np.random.default_rng(0).bytes(high - low)
    path.write_bytes(content)
    fault = probe(whole(path), 3.0)
    assert fault is not None
    assert (fault.kind, fault.modalities) == ("corrupt", BOTH)


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.8), (1.3, 2.1), (2.2, 3.0)])
def test_cut_of_a_recording(tmp_path: Path, start: float, end: float) -> None:
    """A stretch of a longer recording is measured as that stretch, wherever the key frames are."""
    path = write_media(tmp_path / "a.avi", 3.0)
    cut = MediaCut(path, start, end)
    assert inspect(Clip(cut, cut, "left"), end - start) == ()


@pytest.mark.parametrize(("start", "end"), [(2.5, 4.5), (3.5, 4.5)])
def test_cut_beyond_the_end(tmp_path: Path, start: float, end: float) -> None:
    """A stretch that the recording does not reach, in part or whole, is a wrong cut."""
    cut = MediaCut(write_media(tmp_path / "a.avi", 3.0), start, end)
    fault = probe(Clip(cut, None), end - start)
    assert fault is not None
    assert (fault.kind, fault.modalities) == ("mis-cut", ("video",))


def test_silence_is_judged_in_the_cut(tmp_path: Path) -> None:
    """A recording with sound elsewhere is silent where the utterance is."""
    import soundfile

    path = tmp_path / "a.wav"
    soundfile.write(path, np.concatenate([tone(1.0), np.zeros(16_000, np.float32)]), 16_000)
    assert probe(Clip(None, MediaCut(path, 0.0, 1.0)), 1.0) is None
    fault = probe(Clip(None, MediaCut(path, 1.1, 2.0)), 0.9)
    assert fault is not None
    assert fault.kind == "silent"


def test_quiet_is_not_silent(tmp_path: Path) -> None:
    """Sound of 50 dB below full scale counts as sound."""
    path = write_wav(tmp_path / "a.wav", peak=10 ** (-50 / 20))
    assert probe(Clip(None, MediaCut(path)), SECONDS) is None


def test_two_files(tmp_path: Path) -> None:
    """Where pictures and sound have a file each, a fault of one leaves the other."""
    avi = write_media(tmp_path / "a.avi", 2.0)
    wav = write_wav(tmp_path / "a.wav", peak=0.0)
    fault = probe(Clip(MediaCut(avi, 0.5, 1.1), MediaCut(wav), "right"), SECONDS)
    assert fault is not None
    assert (fault.kind, fault.modalities) == ("silent", ("audio",))


def test_a_folder_and_a_playlist(tmp_path: Path) -> None:
    """A folder is no file, and a playlist that names a network address is not followed."""
    (tmp_path / "folder.mp4").mkdir()
    playlist = tmp_path / "a.mp4"
    playlist.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n", encoding="utf-8")
    kinds = [probe(whole(path)) for path in (tmp_path / "folder.mp4", playlist)]
    assert [fault and fault.kind for fault in kinds] == ["missing", "corrupt"]


def test_sound_of_a_film_alone(tmp_path: Path) -> None:
    """Only the sound is cut from it, which is its second track, and read to the file's end."""
    path = write_media(tmp_path / "a.avi", 2.0)
    assert inspect(Clip(None, MediaCut(path, 1.0)), 1.0) == ()
    assert [fault.kind for fault in inspect(Clip(None, MediaCut(path, 3.0, 4.0)), 1.0)] == [
        "mis-cut"
    ]
