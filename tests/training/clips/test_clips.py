"""Clips are read as live recognition would cut them, and whatever is broken is said."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clip_factory import FPS, HEIGHT, WIDTH, clock_picture, clock_sound, whole, write_film

from engine.model.spec import VideoSpec
from stream.cutter import UtteranceCutter
from stream.media import SAMPLE_RATE, Samples, Utterance, VideoFrame
from stream.segmenter import SegmenterConfig
from stream.sources.container import Location
from stream.sources.reader import MediaReader
from training.clips import utterances as clips
from training.clips.utterances import read_clip, read_pictures, read_sound
from training.datasets.clip import Clip, MediaCut

SPEC = VideoSpec(frames=8, tokens=2)
PICTURE_BYTES = HEIGHT * WIDTH * 3


def numbers(utterance: Utterance) -> list[int]:
    """Which pictures of the film an utterance has, as they themselves say."""
    return [round(float(frame.image[:, :16].mean())) - 10 for frame in utterance.frames]


def picked(path: Path, start: float, end: float | None, side: str | None = None) -> Utterance:
    """The cut of a film."""
    return read_clip(Clip(MediaCut(path, start, end), MediaCut(path, start, end), side), SPEC)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds like IEMOCAP's: MPEG-4 in avi, a key picture every 1.2 s, and sound."""
    path = tmp_path_factory.mktemp("film") / "dialogue.avi"
    return write_film(path, 20.0, sound=clock_sound(20.0))


def live_utterances(path: Path, speaks: Any, frames: int) -> list[Utterance]:
    """What the live path cuts from a file."""
    config = SegmenterConfig(max_seconds=6.0)
    cutter = UtteranceCutter(speaks, participant="ann", config=config, frames=frames)
    done = []
    with closing(MediaReader(Location.of_file(path))) as reader:
        for item in reader:
            done += cutter.push(item)
    return done + cutter.flush()


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_a_cut_is_what_live_cuts(tmp_path: Path, codec: str) -> None:
    """Frames, pixels and samples equal those of the live cutter, sought or read from the start."""
    talk = np.zeros(12 * SAMPLE_RATE, np.float32)
    noise = np.random.default_rng(0).normal(0, 0.1, len(talk)).clip(-1, 1)
    for start, end in ((0.5, 3.0), (5.0, 7.5), (9.0, 11.5)):
        part = slice(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE))
        talk[part] = noise[part]
    film = write_film(tmp_path / "film.mkv", 12.0, sound=talk, video_codec=codec)
    live = live_utterances(film, lambda window: float(np.abs(window).max() > 0.01), SPEC.frames)
    assert len(live) == 3
    assert live[-1].start > 8
    for expected in live:
        seen = picked(film, expected.start, expected.end)
        assert [frame.time for frame in seen.frames] == [frame.time for frame in expected.frames]
        for one, other in zip(seen.frames, expected.frames, strict=True):
            assert np.array_equal(one.image, other.image)
        assert np.array_equal(seen.audio, expected.audio)
        assert seen.degraded == ()


def test_compressed_sound_is_what_live_hears(tmp_path: Path) -> None:
    """AAC at 48 kHz after a seek: the same samples, but for the phase of the resampler."""
    time = np.arange(48_000 * 8) / 48_000
    tone = (0.4 * np.sin(2 * np.pi * 440 * time) * (time > 5)).astype(np.float32)
    film = write_film(tmp_path / "film.mp4", 8.0, sound=tone, audio_codec="aac", rate=48_000)
    (live,) = live_utterances(film, lambda window: float(np.abs(window).max() > 0.01), SPEC.frames)
    assert live.start > 4
    seen = read_sound(MediaCut(film, live.start, live.end)).samples
    assert len(seen) == len(live.audio)
    half_a_sample = 0.4 * 2 * np.pi * 440 / 32_000
    assert np.abs(seen - live.audio).max() < half_a_sample
    assert np.abs(seen).max() > 0.3


def test_a_film_without_sound_is_what_live_cuts(tmp_path: Path) -> None:
    """Whole file: the live window of pictures alone gives the same pictures."""
    film = write_film(tmp_path / "film.mp4", 3.0)
    cutter = UtteranceCutter(None, participant="ann", frames=SPEC.frames)
    with closing(MediaReader(Location.of_file(film), audio=False)) as reader:
        expected = [done for item in reader for done in cutter.push(item)] + cutter.flush()
    seen = read_clip(Clip(MediaCut(film), None), SPEC)
    assert [f.time for f in seen.frames] == [f.time for f in expected[0].frames]
    assert (seen.start, seen.end) == (expected[0].start, expected[0].end)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0.0, 0.5, range(5)),
        (5.0, 5.4, range(50, 54)),
        (5.05, 5.45, range(51, 55)),
        (12.3, 13.0, range(123, 130)),
        (19.7, None, range(197, 200)),
        (19.7, 40.0, range(197, 200)),
    ],
)
def test_a_cut_has_its_pictures_and_its_sound(
    film: Path, start: float, end: float | None, expected: range
) -> None:
    """Pictures with start <= t < end, and the samples from start, to the millisecond."""
    utterance = picked(film, start, end)
    assert numbers(utterance) == pytest.approx(list(expected), abs=1)
    assert [frame.time for frame in utterance.frames] == pytest.approx([n / FPS for n in expected])
    assert len(utterance.audio) == round((min(end or 20.0, 20.0) - start) * SAMPLE_RATE)
    assert utterance.audio[0] * 100 == pytest.approx(start, abs=4e-3)  # 16 bits: 3 ms
    assert utterance.start == start


def test_pictures_are_uniform_in_time(film: Path) -> None:
    """Eight of eighty pictures, one in the middle of every eighth."""
    assert numbers(picked(film, 4.0, 12.0)) == pytest.approx([45 + 10 * n for n in range(8)], abs=1)


def test_fewer_pictures_can_be_asked_for(film: Path) -> None:
    """A teacher that sees two pictures gets two."""
    cut = Clip(MediaCut(film, 4.0, 8.0), None)
    assert len(read_clip(cut, SPEC, 2).frames) == 2
    assert len(read_clip(cut, SPEC, 100).frames) == SPEC.frames


@pytest.mark.parametrize(("side", "level"), [("left", 10 + 30), ("right", 245 - 30)])
def test_a_side_is_its_half(film: Path, side: str, level: int) -> None:
    """The left and the right half of a picture, nothing of the other."""
    image = picked(film, 3.0, 3.1, side).frames[0].image
    assert image.shape == (48, 32, 3)
    assert np.abs(image[:, 2:-2].astype(int) - level).max() <= 4
    assert image.flags.owndata


def test_pictures_are_bounded_in_size(tmp_path: Path) -> None:
    """As live: no side over 640 pixels."""
    big = write_film(tmp_path / "big.mp4", 0.3, picture=lambda n: np.zeros((720, 1280, 3), "u1"))
    assert read_clip(whole(big), SPEC).frames[0].image.shape == (360, 640, 3)


def test_the_picture_on_screen_counts(tmp_path: Path) -> None:
    """A cut between two pictures has the one that is shown, as live."""
    film = write_film(tmp_path / "film.mp4", 4.0)
    (frame,) = read_pictures(MediaCut(film, 2.02, 2.08), None, 8).frames
    assert frame.time == pytest.approx(2.0)


def test_sound_and_pictures_may_be_of_different_files(tmp_path: Path, film: Path) -> None:
    """IEMOCAP: sentences are files of their own, films are not."""
    sentence = write_film(tmp_path / "s.wav", picture=None, sound=clock_sound(1.5))
    utterance = read_clip(Clip(MediaCut(film, 5.0, 5.3), MediaCut(sentence)), SPEC)
    assert numbers(utterance) == pytest.approx([50, 51, 52], abs=1)
    assert len(utterance.audio) == 1.5 * SAMPLE_RATE


def test_a_long_clip_gives_the_same_pictures(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not all pictures are held, the second pass decodes the very same ones."""
    at_once = picked(film, 2.0, 18.0)
    monkeypatch.setattr(clips, "HELD_BYTES", 20 * PICTURE_BYTES)
    in_passes = picked(film, 2.0, 18.0)
    assert [f.time for f in in_passes.frames] == [f.time for f in at_once.frames]
    for one, other in zip(in_passes.frames, at_once.frames, strict=True):
        assert np.array_equal(one.image, other.image)


def test_memory_does_not_grow_with_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a film of many pictures, never more are alive than what is held."""
    film = write_film(tmp_path / "long.mp4", 60.0)
    frames_of, alive = clips._frames, weakref.WeakSet[VideoFrame]()
    seen = most = 0

    def watched(items: Iterator[Any]) -> Iterator[VideoFrame]:
        nonlocal seen, most
        for frame in frames_of(items):
            alive.add(frame)
            seen, most = seen + 1, max(most, len(alive))
            yield frame

    monkeypatch.setattr(clips, "_frames", watched)
    monkeypatch.setattr(clips, "HELD_BYTES", 40 * PICTURE_BYTES)
    assert len(read_clip(Clip(MediaCut(film), None), SPEC).frames) == SPEC.frames
    assert seen > 1000
    assert 40 <= most < 50


def test_an_endless_clip_is_bounded(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer than any utterance is cut, and it is said."""
    monkeypatch.setattr(clips, "LONGEST_SECONDS", 3.0)
    utterance = picked(film, 2.0, None)
    assert utterance.frames[-1].time < 5.0
    assert len(utterance.audio) == 3 * SAMPLE_RATE
    assert utterance.degraded == (f"video: {clips.TOO_LONG}", f"audio: {clips.TOO_LONG}")


def test_an_index_that_lies_is_not_believed(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seek that lands behind the cut is given up for reading from the start."""
    seek = MediaReader.seek
    monkeypatch.setattr(MediaReader, "seek", lambda reader, time: seek(reader, time + 5))
    assert numbers(picked(film, 9.0, 9.3)) == pytest.approx([90, 91, 92], abs=1)


def test_a_missing_file_is_absent(tmp_path: Path) -> None:
    """Both parts are absent, each with its reason, and there is still an utterance."""
    utterance = read_clip(whole(tmp_path / "none.mp4"), SPEC)
    assert utterance.frames == ()
    assert len(utterance.audio) == 0
    assert [reason[:14] for reason in utterance.degraded] == ["video: no file", "audio: no file"]


@pytest.mark.parametrize("content", [b"", b"no film at all", bytes(5000)])
def test_what_is_no_media_is_absent(tmp_path: Path, content: bytes) -> None:
    """Zero length, text and zeros are no film."""
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    utterance = read_clip(whole(path), SPEC)
    assert utterance.frames == ()
    assert len(utterance.degraded) == 2


def test_a_film_without_sound_has_pictures(tmp_path: Path) -> None:
    """The missing part alone is absent."""
    utterance = read_clip(whole(write_film(tmp_path / "film.mp4", 1.0)), SPEC)
    assert len(utterance.frames) == SPEC.frames
    assert len(utterance.audio) == 0
    (reason,) = utterance.degraded
    assert reason.startswith("audio: ")


def test_sound_without_pictures_is_heard(tmp_path: Path) -> None:
    """A clip of a wav for both."""
    sound = write_film(tmp_path / "s.wav", picture=None, sound=clock_sound(1.0))
    utterance = read_clip(whole(sound), SPEC)
    assert utterance.frames == ()
    assert len(utterance.audio) == SAMPLE_RATE
    assert utterance.end == pytest.approx(1.0)


def test_a_cut_behind_the_end_is_absent(film: Path) -> None:
    """A mis-cut utterance names its cut."""
    utterance = picked(film, 50.0, 52.0)
    assert utterance.frames == ()
    assert [reason.partition(str(film))[2] for reason in utterance.degraded] == [
        " has no picture from 50 s to 52 s; look at its cut",
        " has no sound from 50 s to 52 s; look at its cut",
    ]


def test_damage_in_the_middle_costs_the_middle(tmp_path: Path) -> None:
    """What can be decoded before and after noise is kept, and the damage is said."""
    film = write_film(tmp_path / "film.mp4", 10.0, key_every=5)
    content = bytearray(film.read_bytes())
    third = len(content) // 3
    noise = np.random.default_rng(1).integers(0, 256, third, np.uint8).tobytes()
    content[third : 2 * third] = noise
    film.write_bytes(content)
    utterance = read_clip(Clip(MediaCut(film), None), SPEC)
    assert utterance.frames[0].time < 2
    assert utterance.frames[-1].time > 8
    assert utterance.degraded == (f"video: {clips.DAMAGED}",)


def test_loud_and_broken_samples_are_made_safe(tmp_path: Path) -> None:
    """Samples over full scale, NaN and infinity never reach the encoders."""
    wild: Samples = np.full(SAMPLE_RATE, 3.0, np.float32)
    wild[100:200], wild[300:400] = np.nan, -np.inf
    path = write_film(tmp_path / "s.wav", picture=None, sound=wild, audio_codec="pcm_f32le")
    samples = read_sound(MediaCut(path)).samples
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() == 1.0


def test_a_clip_of_nothing_is_empty() -> None:
    """Neither pictures nor sound were promised, so nothing is wrong."""
    utterance = read_clip(Clip(None, None), SPEC)
    assert (utterance.frames, len(utterance.audio), utterance.degraded) == ((), 0, ())


def test_clock_pictures_tell_the_time() -> None:
    """The factory's own promise, on which the other tests rest."""
    assert clock_picture(7)[0, 0, 0] == 17
    assert clock_picture(7)[0, -1, 0] == 238
