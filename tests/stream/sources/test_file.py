"""Files as sources."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from media_factory import bursts, grey, moving, quadrants, tone, write_media

from stream.cutter import UtteranceCutter
from stream.errors import UserError
from stream.media import AudioChunk, Utterance, VideoFrame
from stream.sources import open_source
from stream.sources.stillness import STILL


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """Two seconds of sound and pictures."""
    return write_media(tmp_path / "My Talk.mp4", pictures=moving(2), sound=tone(2))


async def test_a_file_gives_everything_in_order(talk: Path) -> None:
    """Each track by time, both to the end, with what the source says of itself."""
    async with open_source(talk) as source:
        assert (source.name, source.participant, source.live) == ("my-talk", "speaker-1", False)
        assert (source.has_audio, source.has_video) == (True, True)
        items = [item async for item in source]
    for kind in (AudioChunk, VideoFrame):
        times = [item.time for item in items if isinstance(item, kind)]
        assert times == sorted(times)
        assert times[-1] > 1.9
    assert (source.skipped_packets, source.restarts, source.trouble) == (0, 0, ())


async def test_sound_and_pictures_come_interleaved(talk: Path) -> None:
    """Neither track runs far ahead of the other, so that little has to be kept."""
    newest = {AudioChunk: 0.0, VideoFrame: 0.0}
    async with open_source(talk) as source:
        async for item in source:
            newest[type(item)] = item.time
            assert abs(newest[AudioChunk] - newest[VideoFrame]) < 1.2


async def test_at_real_pace_nothing_comes_before_its_time(talk: Path) -> None:
    """The file plays as if it was being recorded, and no slower."""
    clock = Clock()
    async with open_source(talk, pace="real", clock=clock, sleep=clock.sleep) as source:
        async for item in source:
            assert clock.now - 100.0 >= item.time - 1e-9
    assert clock.now - 100.0 == pytest.approx(2.0, abs=0.1)


async def test_at_full_pace_nobody_sleeps(talk: Path) -> None:
    """Reading is as fast as decoding."""
    clock = Clock()
    async with open_source(talk, clock=clock, sleep=clock.sleep) as source:
        assert [item async for item in source]
    assert clock.now == 100.0


@pytest.mark.parametrize("pace", ["real", "max"])
async def test_stop_ends_a_source_early(talk: Path, pace: str) -> None:
    """After `stop` no further item comes, and closing is orderly."""
    clock = Clock()
    async with open_source(talk, pace=pace, clock=clock, sleep=clock.sleep) as source:  # type: ignore[arg-type]
        items = []
        async for item in source:
            items.append(item)
            if len(items) == 5:
                source.stop()
    assert len(items) == 5


async def test_stop_is_heard_in_a_long_pause(tmp_path: Path) -> None:
    """A gap of ten minutes at real pace does not hold Ctrl-C back."""
    path = write_media(
        tmp_path / "paused.mkv",
        sound=tone(1),
        audio_codec="flac",
        sound_times=lambda time: time if time < 0.5 else time + 600,
    )
    clock = Clock()

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        if clock.now > 110:
            source.stop()

    async with open_source(path, pace="real", clock=clock, sleep=sleep) as source:
        assert all([item.time < 1 async for item in source])
    assert clock.now < 111


async def _fail_at_first_item(path: Path) -> None:
    async with open_source(path) as source:
        async for _ in source:
            raise ZeroDivisionError


async def test_leaving_in_the_middle_closes_in_order(talk: Path) -> None:
    """A consumer that fails takes nothing down with it."""
    with pytest.raises(ZeroDivisionError):
        await _fail_at_first_item(talk)


async def test_cancelling_in_the_middle_closes_in_order(talk: Path) -> None:
    """The reading thread is let finish before the container is closed."""

    async def consume() -> None:
        async with open_source(talk) as source:
            async for _ in source:
                reading.set()
                await asyncio.sleep(0)

    reading = asyncio.Event()
    task = asyncio.create_task(consume())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_event_loop_runs_on_while_a_file_is_read(talk: Path) -> None:
    """Decoding happens in another thread."""
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with open_source(talk) as source:
        ticking = asyncio.create_task(tick())
        assert [item async for item in source]
        ticking.cancel()
    assert turns > 10


async def test_what_is_wrong_shows_when_it_is_opened(tmp_path: Path) -> None:
    """Opening raises, with one line for the user."""
    mute = write_media(tmp_path / "mute.mp4", pictures=moving(1))
    with pytest.raises(UserError, match="use --no-audio"):
        async with open_source(mute):
            pass
    async with open_source(mute, audio=False) as source:
        assert (source.has_audio, source.has_video) == (False, True)
        assert all([isinstance(item, VideoFrame) async for item in source])


async def test_a_source_must_be_opened_before_it_is_read(talk: Path) -> None:
    """Forgetting `async with` is told, not guessed around."""
    source = open_source(talk)
    with pytest.raises(RuntimeError, match="async with"):
        await anext(aiter(source))


async def test_a_file_becomes_utterances(tmp_path: Path) -> None:
    """From file to utterances with pictures and sound, end to end."""
    path = tmp_path / "talk.mp4"
    write_media(path, pictures=moving(6), sound=bursts(6, [(1, 2), (4, 5)]))
    cutter = UtteranceCutter(
        lambda samples: 0.9 if abs(samples).max() > 0.1 else 0.1, participant="speaker-1"
    )
    async with open_source(path) as source:
        utterances = [done async for item in source for done in cutter.push(item)]
    utterances += cutter.flush()
    assert [utterance.start for utterance in utterances] == pytest.approx([0.8, 3.8], abs=0.1)
    assert all(18 <= len(utterance.frames) <= 22 for utterance in utterances)


async def _utterances(path: Path) -> list[tuple[Utterance, tuple[str, ...]]]:
    """The utterances of a file, with what was wrong with the source when each was complete."""
    cutter = UtteranceCutter(
        lambda samples: 0.9 if abs(samples).max() > 0.1 else 0.1, participant="speaker-1"
    )
    done = []
    async with open_source(path) as source:
        async for item in source:
            done += [(one, source.trouble) for one in cutter.push(item)]
        done += [(one, source.trouble) for one in cutter.flush()]
    return done


_TALK = bursts(12, [(1, 2), (4, 5), (7, 8), (10, 11)])


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
async def test_every_utterance_has_the_picture_that_was_on_screen(
    tmp_path: Path, suffix: str
) -> None:
    """Where they are five seconds apart, and the decoder reads three of them ahead."""
    shown = [(5.0 * n, grey(20 + 60 * n)) for n in range(3)]
    path = write_media(tmp_path / f"far.{suffix}", pictures=shown, sound=_TALK, preset="medium")
    done = [utterance for utterance, _ in await _utterances(path)]
    assert [round(one.start) for one in done] == [1, 4, 7, 10]
    levels = [[round(float(frame.image.mean())) for frame in one.frames] for one in done]
    assert all(levels), levels
    for utterance, seen in zip(done, levels, strict=True):
        on_screen = {20 + 60 * int(time // 5) for time in (utterance.start, utterance.end)}
        assert all(min(abs(level - one) for one in on_screen) < 12 for level in seen)


async def test_a_photograph_does_not_weigh_on_utterances_until_it_moves(tmp_path: Path) -> None:
    """A podcast that turns into a call: the first half is heard, the second seen, too."""
    shown = [(n / 10, quadrants(160, 120)) for n in range(60)]
    shown += [(6 + time, image) for time, image in moving(6, 10, 160, 120)]
    path = write_media(tmp_path / "podcast.mp4", pictures=shown, sound=_TALK)
    done = await _utterances(path)
    assert [len(utterance.frames) > 5 for utterance, _ in done] == [False, False, True, True]
    assert not any(utterance.frames for utterance, _ in done[:2])
    assert [trouble for _, trouble in done] == [(STILL,), (STILL,), (), ()]
