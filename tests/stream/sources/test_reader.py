"""Container in, chunks and frames out, on one clock."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from media_factory import bursts, grey, moving, quadrants, tone, write_media

from stream.errors import UserError
from stream.media import SAMPLE_RATE, AudioChunk, Samples, VideoFrame
from stream.sources.container import Location
from stream.sources.reader import MediaReader


@contextmanager
def _reading(path: Path, *, audio: bool = True, video: bool = True) -> Iterator[MediaReader]:
    reader = MediaReader(Location.of_file(path), audio=audio, video=video)
    try:
        yield reader
    finally:
        reader.close()


def _read(path: Path, **wanted: bool) -> tuple[list[AudioChunk], list[VideoFrame], int]:
    with _reading(path, **wanted) as reader:
        items = list(reader)
    chunks = [item for item in items if isinstance(item, AudioChunk)]
    frames = [item for item in items if isinstance(item, VideoFrame)]
    return chunks, frames, reader.skipped_packets


def _onset(chunks: list[AudioChunk], level: float = 0.05) -> float:
    """Media seconds of the first loud sample."""
    for chunk in chunks:
        loud = np.flatnonzero(np.abs(chunk.samples) > level)
        if len(loud):
            return chunk.time + float(loud[0]) / SAMPLE_RATE
    raise AssertionError("nothing loud")


def _sound(chunks: list[AudioChunk]) -> Samples:
    return np.concatenate([chunk.samples for chunk in chunks])


@pytest.mark.parametrize(
    ("suffix", "video_codec", "audio_codec"),
    [
        ("mp4", "libx264", "aac"),
        ("mov", "libx264", "aac"),
        ("mkv", "libx264", "flac"),
        ("ts", "libx264", "aac"),
        ("flv", "libx264", "aac"),
        ("avi", "mpeg4", "pcm_s16le"),
    ],
)
def test_any_container_gives_sound_and_pictures_on_one_clock(
    tmp_path: Path, suffix: str, video_codec: str, audio_codec: str
) -> None:
    """A flash and a burst of noise at 1 s are read at 1 s, whatever the container."""
    path = tmp_path / f"talk.{suffix}"
    pictures = [(n / 25, grey(200 if 25 <= n < 30 else 20)) for n in range(50)]
    write_media(
        path,
        pictures=pictures,
        sound=bursts(2, [(1, 1.2)]),
        video_codec=video_codec,
        audio_codec=audio_codec,
    )
    chunks, frames, skipped = _read(path)
    flash = next(frame.time for frame in frames if frame.image.mean() > 100)
    assert _onset(chunks) == pytest.approx(1.0, abs=0.06)
    assert flash == pytest.approx(1.0, abs=0.09)
    assert chunks[-1].end == pytest.approx(2.0, abs=0.1)
    assert skipped == 0


def test_a_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    """Pictures come when they were shown, not when they are counted."""
    times = [0.0, 0.1, 0.2, 1.5, 1.6, 4.0]
    path = write_media(
        tmp_path / "screen.mp4", pictures=[(t, grey(30 * n)) for n, t in enumerate(times)]
    )
    _, frames, _ = _read(path, audio=False)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=0.002)


def test_pictures_are_thinned_to_fifteen_a_second(tmp_path: Path) -> None:
    """Leaving some out on purpose is no error."""
    path = write_media(tmp_path / "fast.mp4", pictures=moving(2, fps=50))
    _, frames, skipped = _read(path, audio=False)
    assert len(frames) == pytest.approx(30, abs=1)
    assert skipped == 0


def test_sound_switched_off_gives_only_pictures_and_the_other_way_round(tmp_path: Path) -> None:
    """What is not wanted is not decoded."""
    path = write_media(tmp_path / "talk.mp4", pictures=moving(1), sound=tone(1))
    chunks, frames, _ = _read(path, audio=False)
    assert (len(chunks), len(frames)) == (0, 15)
    chunks, frames, _ = _read(path, video=False)
    assert len(frames) == 0
    assert len(_sound(chunks)) == pytest.approx(SAMPLE_RATE, abs=1100)


def test_a_pause_in_the_sound_stays_a_pause(tmp_path: Path) -> None:
    """Sound that was recorded later is read at its own time."""
    path = write_media(
        tmp_path / "paused.mkv",
        sound=bursts(2, [(1.1, 2)]),
        audio_codec="flac",
        sound_times=lambda time: time if time < 1 else time + 3,
    )
    chunks, _, _ = _read(path)
    assert _onset(chunks) == pytest.approx(4.1, abs=0.01)
    assert chunks[-1].end == pytest.approx(5.0, abs=0.1)
    assert all(b.time >= a.end - 1e-9 for a, b in itertools.pairwise(chunks))


def test_sound_that_is_no_number_is_read_as_silence(tmp_path: Path) -> None:
    """A float recording may hold anything."""
    sound = tone(1, level=5.0)
    sound[20_000:30_000] = np.nan
    path = write_media(tmp_path / "bad.wav", sound=sound, audio_codec="pcm_f32le")
    heard = _sound(_read(path)[0])
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= 1.0
    assert np.abs(heard).max() > 0.9


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_damaged_packets_in_the_middle_are_skipped_and_counted(tmp_path: Path, suffix: str) -> None:
    """The rest is read, and stays on the clock."""
    whole = write_media(tmp_path / f"whole.{suffix}", pictures=moving(4), sound=tone(4))
    path = write_media(
        tmp_path / f"damaged.{suffix}",
        pictures=moving(4),
        sound=tone(4),
        corrupt=lambda kind, number: 60 <= number < 64,
    )
    all_chunks, all_frames, none_skipped = _read(whole)
    chunks, frames, skipped = _read(path)
    assert none_skipped == 0
    assert skipped >= 4
    assert chunks[-1].end == pytest.approx(all_chunks[-1].end, abs=0.05)
    assert frames[-1].time == pytest.approx(all_frames[-1].time, abs=0.1)
    assert len(frames) > 0.8 * len(all_frames)


def _live(path: Path, *, audio: bool) -> MediaReader:
    return MediaReader(dataclasses.replace(Location.of_file(path), live=True), audio=audio)


def test_a_live_stream_that_cannot_be_decoded_any_more_breaks_off(tmp_path: Path) -> None:
    """After five seconds of nothing but damage; a file with the same damage is read on."""
    path = write_media(
        tmp_path / "talk.mkv",
        pictures=moving(12),
        video_codec="mjpeg",
        corrupt=lambda kind, number: number >= 50,
    )
    times: list[float] = []
    with closing(_live(path, audio=False)) as reader:
        with pytest.raises(UserError, match="cannot be decoded"):
            times.extend(item.time for item in reader)
    assert 1.5 < times[-1] < 3
    assert 5 * 25 <= reader.skipped_packets < 8 * 25
    assert _read(path, audio=False)[2] > 200


def test_a_live_stream_may_begin_with_what_cannot_be_decoded(tmp_path: Path) -> None:
    """A camera need not send a key frame at first; and where sound comes, nothing is broken."""
    late = write_media(
        tmp_path / "late.mkv",
        pictures=moving(12),
        video_codec="mjpeg",
        corrupt=lambda kind, number: number < 200,
    )
    heard = write_media(
        tmp_path / "heard.mkv",
        pictures=moving(12),
        video_codec="mjpeg",
        sound=tone(12),
        corrupt=lambda kind, number: kind == "video",
    )
    for path in (late, heard):
        with closing(_live(path, audio=path is heard)) as reader:
            assert list(reader)


def test_a_reader_that_is_no_longer_wanted_ends(tmp_path: Path) -> None:
    """Also where nothing can be decoded, so that nothing would ever be given."""
    path = write_media(
        tmp_path / "talk.mkv", pictures=moving(4), video_codec="mjpeg", corrupt=lambda *_: True
    )
    asked = iter(range(1000))
    reader = MediaReader(Location.of_file(path), audio=False, wanted=lambda: next(asked) < 10)
    with closing(reader):
        assert list(reader) == []
    assert next(asked) == 11


def test_a_file_cut_off_in_the_middle_is_read_up_to_there(tmp_path: Path) -> None:
    """A recording that was never finished still counts."""
    path = write_media(tmp_path / "talk.mkv", pictures=moving(4), sound=tone(4))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    chunks, frames, _ = _read(path)
    assert 1 < chunks[-1].end < 3
    assert 1 < frames[-1].time < 3


def test_noise_over_the_middle_of_a_file_does_not_end_it(tmp_path: Path) -> None:
    """A scratch across a transport stream costs what it covers."""
    path = write_media(tmp_path / "talk.ts", pictures=moving(6), sound=tone(6))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = np.random.default_rng(1).bytes(2000)
    path.write_bytes(content)
    chunks, frames, skipped = _read(path)
    # FFmpeg 9 throws the packets away without a word: then there is a gap in the sound.
    holes = [b.time - a.end for a, b in itertools.pairwise(chunks)]
    assert skipped > 0 or max(holes) > 0.05
    assert chunks[-1].end == pytest.approx(6.0, abs=0.1)
    assert frames[-1].time == pytest.approx(5.9, abs=0.1)


def test_noise_that_looks_like_another_track_is_no_failure(tmp_path: Path) -> None:
    """The rest of the file is read to its end."""
    path = write_media(tmp_path / "talk.ts", pictures=moving(6), sound=tone(6))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 6000] = np.random.default_rng(1).bytes(6000)
    path.write_bytes(content)
    chunks, frames, _ = _read(path)
    assert chunks[-1].end == pytest.approx(6.0, abs=0.1)
    assert frames[-1].time == pytest.approx(5.9, abs=0.1)


def test_a_black_video_and_a_video_of_one_picture_are_read(tmp_path: Path) -> None:
    """Little to see is no error."""
    black = write_media(tmp_path / "black.mp4", pictures=[(n / 25, grey(0)) for n in range(25)])
    assert len(_read(black, audio=False)[1]) == 15
    one = write_media(tmp_path / "one.mp4", pictures=[(0.0, grey(90))])
    [frame] = _read(one, audio=False)[1]
    assert frame.time == 0.0


def test_a_still_picture_is_a_video_of_one_picture(tmp_path: Path) -> None:
    """A photograph can be looked at too."""
    path = write_media(tmp_path / "face.jpg", pictures=[(0.0, grey(90))], video_codec="mjpeg")
    assert len(_read(path, audio=False)[1]) == 1


@pytest.mark.parametrize("seconds", [5.0, 30.0, 500.0])
@pytest.mark.parametrize("kind", ["video", "audio"])
def test_one_wrong_timestamp_in_a_file_costs_its_own_frame(
    tmp_path: Path, kind: str, seconds: float
) -> None:
    """A flash and a burst of noise that come later are still at the same time, and it counts."""
    flashing = [(n / 25, grey(200 if 100 <= n < 105 else 20 + n % 9)) for n in range(150)]
    path = write_media(
        tmp_path / "talk.ts",
        pictures=flashing,
        sound=bursts(6, [(4, 4.2)]),
    )
    content = path.read_bytes()
    path.write_bytes(_with_pts(content, {"video": 0xE0, "audio": 0xC0}[kind], 40, seconds))
    chunks, frames, skipped = _read(path)
    flash = next(frame.time for frame in frames if frame.image.mean() > 100)
    assert _onset(chunks) == pytest.approx(4.0, abs=0.06)
    assert flash == pytest.approx(4.0, abs=0.09)
    assert skipped == 1
    assert chunks[-1].end == pytest.approx(6.0, abs=0.1)
    assert frames[-1].time == pytest.approx(5.95, abs=0.1)


def _with_pts(content: bytes, stream: int, at: int, seconds: float) -> bytes:
    """A transport stream in which one time of presentation is wrong (ISO/IEC 13818-1, 2.4.3.7)."""
    changed = bytearray(content)
    begun = [_pes(content, packet) for packet in range(0, len(content), 188)]
    starts = [n for n in begun if n is not None and content[n + 3] & 0xF0 == stream & 0xF0]
    field = starts[min(at, len(starts) // 2)] + 9
    old = changed[field : field + 5]
    ticks = (old[0] >> 1 & 7) << 30 | old[1] << 22 | (old[2] >> 1) << 15 | old[3] << 7 | old[4] >> 1
    ticks += round(seconds * 90_000)
    changed[field] = old[0] & 0xF1 | (ticks >> 30 & 7) << 1
    changed[field + 1] = ticks >> 22 & 0xFF
    changed[field + 2] = (ticks >> 15 & 0x7F) << 1 | 1
    changed[field + 3] = ticks >> 7 & 0xFF
    changed[field + 4] = (ticks & 0x7F) << 1 | 1
    return bytes(changed)


def _pes(content: bytes, packet: int) -> int | None:
    """Where a packetized elementary stream begins in a transport packet, if one does."""
    if not content[packet + 1] & 0x40:
        return None
    skipped = 4 + (content[packet + 4] + 1 if content[packet + 3] & 0x20 else 0)
    start = packet + skipped
    return start if content[start : start + 3] == b"\0\0\1" else None


def test_two_recordings_in_one_transport_stream_stay_in_step(tmp_path: Path) -> None:
    """The time of the second begins anew, for pictures and sound alike."""
    path = write_media(
        tmp_path / "one.ts",
        pictures=[(n / 25, grey(200 if 50 <= n < 55 else 20 + n % 9)) for n in range(100)],
        sound=bursts(4, [(2, 2.2)]),
    )
    path.write_bytes(path.read_bytes() * 2)
    chunks, frames, _ = _read(path)
    later = [chunk for chunk in chunks if chunk.time > 4.2]
    flash = next(frame.time for frame in frames if frame.time > 4 and frame.image.mean() > 100)
    assert _onset(later) == pytest.approx(flash, abs=0.1)
    assert chunks[-1].end == pytest.approx(8.0, abs=0.3)


@pytest.mark.parametrize(("suffix", "codec"), [("h264", "libx264"), ("m4v", "mpeg4")])
def test_pictures_without_timestamps_are_counted_on(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    """A raw stream says only how many there are a second, if that."""
    path = write_media(tmp_path / f"raw.{suffix}", pictures=moving(3), video_codec=codec)
    _, frames, skipped = _read(path, audio=False)
    assert frames[-1].time == pytest.approx(2.9, abs=0.15)
    assert skipped == 0


def test_sound_without_timestamps_is_counted_on(tmp_path: Path) -> None:
    """An ADTS file is packets and nothing else."""
    chunks, _, skipped = _read(write_media(tmp_path / "raw.aac", sound=tone(3)))
    assert chunks[-1].end == pytest.approx(3.0, abs=0.1)
    assert skipped == 0


def test_a_photograph_beside_the_sound_is_not_given(tmp_path: Path) -> None:
    """It says nothing of who speaks; alone it is looked at."""
    image = quadrants(160, 120)
    shown = [(float(n), image) for n in range(8)]
    path = write_media(tmp_path / "podcast.mp4", pictures=shown, sound=tone(8))
    with _reading(path) as reader:
        items = list(reader)
        assert reader.still
    assert not [item for item in items if isinstance(item, VideoFrame)]
    assert len(_read(path, audio=False)[1]) == 8


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_pictures_far_apart_come_with_the_sound_they_were_shown_with(
    tmp_path: Path, suffix: str
) -> None:
    """Also where the decoder has to read three of them ahead."""
    shown = [(5.0 * n, grey(20 + 25 * n)) for n in range(9)]
    path = write_media(tmp_path / f"far.{suffix}", pictures=shown, sound=tone(42), preset="medium")
    newest: float | None = None
    seen = set()
    with _reading(path) as reader:
        for item in reader:
            if isinstance(item, VideoFrame):
                newest = item.time
                seen.add(round(float(item.image.mean()) / 25))
            elif newest is not None:
                assert newest - 0.1 <= item.end
                assert item.time - newest <= 1.0 or item.time > 40
    assert len(seen) == 9


def test_pictures_that_change_their_size_midway_are_all_read(tmp_path: Path) -> None:
    """A call whose sender turns the phone, or whose network gets worse."""
    parts = [
        write_media(tmp_path / f"{n}.ts", pictures=moving(1, width=w, height=h))
        for n, (w, h) in enumerate([(64, 48), (48, 64), (128, 96)])
    ]
    path = tmp_path / "call.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    _, frames, _ = _read(path, audio=False)
    assert {frame.image.shape[:2] for frame in frames} == {(48, 64), (64, 48), (96, 128)}
    assert len(frames) == pytest.approx(45, abs=3)
    assert frames[-1].time == pytest.approx(2.95, abs=0.15)
