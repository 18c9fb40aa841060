"""Sound and pictures in, utterances out."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_factory import bursts, frames_at, sound_chunks

from stream.audio import sample_index
from stream.cutter import (
    AUDIO_GAP,
    SCREEN_SECONDS,
    VIDEO_DROPPED,
    Resumed,
    SoFar,
    SoundWindow,
    UtteranceCutter,
    Work,
    WorkPlan,
    sample_frames,
)
from stream.media import SAMPLE_RATE, AudioChunk, Samples, Utterance, VideoFrame
from stream.segmenter import SegmenterConfig
from stream.vad import SileroVad

Item = AudioChunk | VideoFrame


def loud(samples: Samples) -> float:
    """Speech is whatever is loud: a detector whose answers the tests can predict."""
    return 0.9 if np.abs(samples).max() > 0.05 else 0.1


def _cutter(**options: object) -> UtteranceCutter:
    return UtteranceCutter(loud, participant="speaker-1", **options)  # type: ignore[arg-type]


def _cut(cutter: UtteranceCutter, items: Iterable[Item]) -> list[Utterance]:
    return [done for item in items for done in cutter.push(item)] + cutter.flush()


def _together(sound: Samples, fps: float = 15.0, size: int = 512) -> list[Item]:
    """Sound and pictures in order of time."""
    frames = frames_at(np.arange(0, len(sound) / SAMPLE_RATE, 1 / fps).tolist())
    return list(heapq.merge(sound_chunks(sound, size), frames, key=lambda item: item.time))


def test_an_utterance_holds_its_sound_and_its_pictures() -> None:
    """Both are exactly those between its start and its end."""
    sound = bursts(4, [(1, 2)], SAMPLE_RATE)
    [utterance] = _cut(_cutter(), _together(sound))
    assert utterance.start == pytest.approx(0.8, abs=0.04)
    assert utterance.end == pytest.approx(2.07, abs=0.04)
    first, last = round(utterance.start * SAMPLE_RATE), round(utterance.end * SAMPLE_RATE)
    np.testing.assert_array_equal(utterance.audio, sound[first:last])
    assert len(utterance.frames) == pytest.approx(utterance.duration * 15, abs=1)
    assert all(utterance.start <= frame.time < utterance.end for frame in utterance.frames)
    assert (utterance.participant, utterance.degraded) == ("speaker-1", ())


_bursts = st.lists(st.tuples(st.floats(0.1, 1.5), st.floats(0.05, 3.5)), max_size=4)


def _sound(pauses: list[tuple[float, float]]) -> Samples:
    sounding, now = [], 0.0
    for silence, length in pauses:
        sounding.append((now + silence, now + silence + length))
        now += silence + length
    return bursts(now + 0.3, sounding, SAMPLE_RATE)


@settings(max_examples=25)
@given(_bursts, st.lists(st.integers(100, 9000), min_size=1))
def test_how_the_sound_is_split_into_chunks_changes_nothing(
    pauses: list[tuple[float, float]], sizes: list[int]
) -> None:
    """One chunk, or chunks of any sizes, give the same utterances, sample by sample."""
    sound, config = _sound(pauses), SegmenterConfig(max_seconds=3.0)
    whole = _cut(_cutter(config=config), [AudioChunk(0.0, sound)])
    edges = np.cumsum([0, *(sizes * (len(sound) // sum(sizes) + 1))])
    chunks = [AudioChunk(a / SAMPLE_RATE, sound[a:b]) for a, b in pairwise(edges.tolist())]
    split = _cut(_cutter(config=config), chunks)
    assert [(u.start, u.end) for u in split] == [(u.start, u.end) for u in whole]
    for one, other in zip(split, whole, strict=True):
        np.testing.assert_array_equal(one.audio, other.audio)


@settings(max_examples=25)
@given(_bursts)
def test_every_loud_sample_is_in_exactly_one_utterance(pauses: list[tuple[float, float]]) -> None:
    """Put together, the utterances hold all sound that was speech, once, in order."""
    sound = _sound(pauses)
    config = SegmenterConfig(max_seconds=3.0, min_speech_seconds=0.0)
    times_held = np.zeros(len(sound), int)
    before = 0.0
    for utterance in _cut(_cutter(config=config), _together(sound)):
        assert before <= utterance.start < utterance.end
        assert utterance.duration <= 3.0 + 1e-6
        first = round(utterance.start * SAMPLE_RATE)
        times_held[first : first + len(utterance.audio)] += 1
        before = utterance.end
    assert times_held.max(initial=0) <= 1
    assert (times_held[np.abs(sound) > 0.05] == 1).all()


def test_pictures_that_arrive_after_the_sound_still_reach_their_utterance() -> None:
    """An utterance whose pictures are late by a second waits for them."""
    sound = bursts(5, [(1, 2)], SAMPLE_RATE)
    frames = frames_at(np.arange(0, 5, 1 / 15).tolist())
    items = sorted(
        [*sound_chunks(sound, 512), *frames],
        key=lambda item: item.time + (1.0 if isinstance(item, VideoFrame) else 0.0),
    )
    [utterance] = _cut(_cutter(), items)
    expected = [f.time for f in frames if utterance.start <= f.time < utterance.end]
    assert [frame.time for frame in utterance.frames] == expected


def test_an_utterance_does_not_wait_for_a_camera_that_is_gone() -> None:
    """With sound alone, or after the pictures ended, it is given as soon as it is over."""
    sound = bursts(9, [(4, 5)], SAMPLE_RATE)
    for frames in ([], frames_at([0.0, 0.1])):
        cutter = _cutter()
        for frame in frames:
            cutter.push(frame)
        given_at = next(c.end for c in sound_chunks(sound, 512) if cutter.push(c))
        assert given_at == pytest.approx(5.55, abs=0.07)


def test_a_wait_for_pictures_is_bounded() -> None:
    """Pictures that stop in the middle of an utterance hold it back for two seconds at most."""
    cutter = _cutter()
    for item in _together(bursts(4.5, [(4, 4.5)], SAMPLE_RATE)):
        cutter.push(item)
    later = sound_chunks(bursts(8, [(0, 0.5)], SAMPLE_RATE), 512, start=4.5)
    given_at = next(chunk.end for chunk in later if cutter.push(chunk))
    assert given_at == pytest.approx(4.5 + 2.0, abs=0.6)


def test_sound_without_pictures_makes_utterances_without_frames() -> None:
    """Nothing is made up for a missing camera."""
    [utterance] = _cut(_cutter(), sound_chunks(bursts(3, [(1, 2)], SAMPLE_RATE), 512))
    assert utterance.frames == ()
    assert len(utterance.audio) > 0


def test_pictures_without_sound_are_cut_into_fixed_windows() -> None:
    """Without a voice detector the pictures alone make utterances of four seconds."""
    cutter = UtteranceCutter(None, participant="speaker-1")
    utterances = _cut(cutter, frames_at(np.arange(0, 10, 1 / 15).tolist()))
    assert [utterance.start for utterance in utterances] == [0, 4, 8]
    assert [len(utterance.frames) for utterance in utterances] == [60, 60, 30]
    assert all(len(utterance.audio) == 0 for utterance in utterances)
    assert all(utterance.degraded == () for utterance in utterances)


def test_a_video_of_one_picture_makes_an_utterance() -> None:
    """However short, what is there is looked at."""
    [utterance] = _cut(UtteranceCutter(None, participant="a"), frames_at([0.0]))
    assert len(utterance.frames) == 1
    assert utterance.duration > 0


def test_one_picture_that_stays_on_screen_belongs_to_what_is_said_meanwhile() -> None:
    """With a variable frame rate an utterance may have no picture of its own."""
    frames: list[Item] = [*frames_at([0.5])]
    [utterance] = _cut(_cutter(), [*frames, *sound_chunks(bursts(3, [(1, 2)], SAMPLE_RATE), 512)])
    assert [frame.time for frame in utterance.frames] == [0.5]


def test_a_picture_of_long_ago_is_not_taken_for_the_present() -> None:
    """A camera that stopped a minute ago shows nobody."""
    late = sound_chunks(bursts(3, [(1, 2)], SAMPLE_RATE), 512, start=60.0)
    [utterance] = _cut(_cutter(), [*frames_at([0.5]), *late])
    assert utterance.frames == ()


def test_sound_of_a_fifth_of_a_second_gives_no_utterance_but_is_counted() -> None:
    """A blip is let go for a reason that can be told."""
    cutter = _cutter()
    assert _cut(cutter, _together(bursts(0.2, [(0, 0.2)], SAMPLE_RATE))) == []
    assert cutter.blips == 1


def test_a_short_word_is_marked_where_words_are_recognised() -> None:
    """Also where the sound ends right after it; and it is no news before."""
    cutter = UtteranceCutter(
        loud,
        participant="a",
        config=SegmenterConfig(keep_short=True),
        ahead=WorkPlan(0.5, 0.25),
    )
    [word] = _cut(cutter, _together(bursts(0.2, [(0, 0.2)], SAMPLE_RATE)))
    assert word.short
    assert not [one for one in cutter.take_work() if isinstance(one, SoFar)]
    assert cutter.blips == 0


def test_nothing_gives_nothing() -> None:
    """Media without a single item is no error."""
    assert _cutter().flush() == []
    assert UtteranceCutter(None, participant="a").flush() == []


def test_the_last_utterance_ends_with_the_sound() -> None:
    """Flushing adds no silence that was never recorded."""
    [utterance] = _cut(_cutter(), sound_chunks(bursts(1.01, [(0, 1.01)], SAMPLE_RATE), 512))
    assert utterance.end == pytest.approx(1.01)
    assert len(utterance.audio) == round(1.01 * SAMPLE_RATE)


def test_a_short_hole_in_the_sound_is_silence_and_is_told() -> None:
    """A lost packet does not split an utterance, but the event will say so."""
    sound = bursts(4, [(1, 3)], SAMPLE_RATE)
    chunks = [chunk for chunk in sound_chunks(sound, 1600) if not 1.5 < chunk.time < 1.75]
    [utterance] = _cut(_cutter(), chunks)
    assert utterance.degraded == (AUDIO_GAP,)
    assert len(utterance.audio) == round(utterance.duration * SAMPLE_RATE)


def test_a_long_hole_in_the_sound_ends_the_utterance() -> None:
    """A recording that pauses for an hour goes on with a new utterance at its own time."""
    first = sound_chunks(bursts(2, [(1, 2)], SAMPLE_RATE), 512)
    second = sound_chunks(bursts(2, [(0.5, 1)], SAMPLE_RATE), 512, start=3600.0)
    before, after = _cut(_cutter(), [*first, *second])
    assert before.end == pytest.approx(2.0)
    assert after.start == pytest.approx(3600.3, abs=0.04)
    assert (before.degraded, after.degraded) == ((), ())


def test_sound_that_is_no_number_does_not_deafen_the_detector(
    silero: SileroVad, speech: Samples
) -> None:
    """After a burst of NaN, real speech is still heard."""
    noise = AudioChunk(0.0, np.full(SAMPLE_RATE, np.nan, np.float32))
    cutter = UtteranceCutter(silero, participant="a")
    utterances = _cut(cutter, [noise, *sound_chunks(speech, 512, start=1.0)])
    assert utterances
    assert all(np.isfinite(utterance.audio).all() for utterance in utterances)


def test_real_speech_is_cut_between_its_sentences(silero: SileroVad, speech: Samples) -> None:
    """The two sentences of the recording, said at 0.6 s and 5.4 s, never share an utterance."""
    utterances = _cut(UtteranceCutter(silero, participant="a"), _together(speech))
    assert len(utterances) >= 2
    assert utterances[0].start == pytest.approx(0.5, abs=0.3)
    assert any(abs(utterance.start - 5.2) < 0.4 for utterance in utterances)
    assert all(utterance.frames for utterance in utterances)


def test_pictures_dropped_for_lack_of_room_are_counted() -> None:
    """A camera far too fast for the bounds costs pictures, and the utterance says how many."""
    sound = bursts(12, [(0.5, 11)], SAMPLE_RATE)
    [utterance] = _cut(_cutter(), _together(sound, fps=100))
    assert utterance.frames_dropped > 400
    assert utterance.degraded == (VIDEO_DROPPED,)
    assert len(utterance.frames) == 64


@pytest.mark.slow
def test_an_hour_of_media_stays_under_a_bound() -> None:
    """Ten minutes of monologue, ten of silence and so on: memory does not grow."""
    cutter = _cutter()
    noise, silence = bursts(1, [(0, 1)], SAMPLE_RATE), np.zeros(SAMPLE_RATE, np.float32)
    for second in range(3600):
        sound = noise if second // 600 % 2 == 0 else silence
        for item in [AudioChunk(second, sound), *frames_at([second, second + 0.5])]:
            cutter.push(item)
        assert cutter.timeline.retained_samples <= 18 * SAMPLE_RATE
        assert cutter.timeline.retained_frames <= 40
    assert cutter.timeline.frames_dropped == 0
    assert cutter.timeline.audio_seconds_dropped == 0


def test_every_utterance_has_an_id_of_its_own_in_order() -> None:
    """Ids sort by time; a test can give its own."""
    sound = bursts(6, [(1, 2), (3, 4)], SAMPLE_RATE)
    first, second = _cut(_cutter(), _together(sound))
    assert first.id < second.id
    numbers = iter("ab")
    named = _cut(_cutter(new_id=lambda: next(numbers)), _together(sound))
    assert [utterance.id for utterance in named] == ["a", "b"]


@given(st.lists(st.floats(0, 10, exclude_max=True), max_size=150, unique=True), st.integers(1, 64))
def test_frames_are_sampled_once_each_and_in_order(times: list[float], count: int) -> None:
    """As many as asked for, or all there are."""
    frames = frames_at(sorted(times))
    picked = sample_frames(frames, 0, 10, count)
    assert len(picked) == min(count, len(frames))
    assert all(a.time < b.time for a, b in pairwise(picked))


def test_sampling_follows_the_clock_and_not_the_number_of_frames() -> None:
    """A burst of frames gets no more weight than its share of the time."""
    burst = np.linspace(0, 1, 1000, endpoint=False)
    steady = np.arange(1, 10, 0.1)
    picked = sample_frames(frames_at([*burst, *steady]), 0, 10, 50)
    assert sum(frame.time < 1 for frame in picked) == 5


def test_sampling_evenly_spaced_frames_is_even() -> None:
    """At a constant rate every n-th frame is picked."""
    picked = sample_frames(frames_at(np.arange(0, 10, 1 / 32).tolist()), 0, 10, 64)
    gaps = {round((b.time - a.time) * 32) for a, b in pairwise(picked)}
    assert gaps == {5}


PLAN = WorkPlan(window_seconds=1.0, hop_seconds=0.5)


def _speech(*sounding: tuple[float, float], until: float) -> list[AudioChunk]:
    return list(sound_chunks(bursts(until, sounding, SAMPLE_RATE), 512))


def _interleaved(sound: Iterable[Item], frames: Iterable[Item]) -> Iterable[Item]:
    return heapq.merge(sound, frames, key=lambda item: item.time)


def _ahead(items: Iterable[Item], **options: object) -> tuple[list[Work], list[Utterance]]:
    """Everything that comes out while media goes in."""
    cutter = _cutter(ahead=PLAN, **options)
    work: list[Work] = []
    ended: list[Utterance] = []
    for item in items:
        ended += cutter.push(item)
        work += cutter.take_work()
    ended += cutter.flush()
    return work + cutter.take_work(), ended


def test_windows_of_an_open_utterance_are_those_of_the_whole() -> None:
    """Each lies on the grid from the utterance's first sample, and has its sound."""
    work, (utterance,) = _ahead(_speech((1.0, 4.0), until=6.0))
    windows = [one for one in work if isinstance(one, SoundWindow)]
    first = sample_index(utterance.start)
    hop = round(PLAN.hop_seconds * SAMPLE_RATE)
    assert [one.first - first for one in windows] == [hop * k for k in range(len(windows))]
    assert len(windows) >= 5
    for one in windows:
        inside = utterance.audio[one.first - first :][:SAMPLE_RATE]
        np.testing.assert_array_equal(one.samples[: len(inside)], inside)


def test_pictures_come_at_the_rate_asked_for_and_only_while_somebody_speaks() -> None:
    """From the utterance's beginning, which is before it is noticed, to when it surely is over."""
    times = [k / 30 for k in range(180)]
    items = _interleaved(_speech((1.0, 4.0), until=6.0), frames_at(times))
    work, (utterance,) = _ahead(items)
    seen = [one.time for one in work if isinstance(one, VideoFrame)]
    assert seen == sorted(seen)
    assert utterance.start - 0.1 <= seen[0] <= utterance.start + 0.1
    assert utterance.end - 0.1 <= seen[-1] < utterance.end + 0.5
    assert len(seen) == pytest.approx(15 * (seen[-1] - seen[0]), abs=2)
    assert utterance.frames == ()


def test_pictures_are_not_kept_once_they_are_given() -> None:
    """However long the utterance, memory holds those before it alone."""
    cutter = _cutter(ahead=PLAN)
    times = [k / 30 for k in range(420)]
    most = 0
    for item in _interleaved(_speech((1.0, 13.0), until=14.0), frames_at(times)):
        cutter.push(item)
        cutter.take_work()
        most = max(most, cutter.timeline.retained_frames)
    assert most <= 45


def test_a_pause_is_told_early_and_so_is_its_end() -> None:
    """Well before the utterance is over it is given as it would be; more speech voids that."""
    work, ended = _ahead(_speech((1.0, 1.8), (2.1, 2.7), until=6.0))
    kinds = [one for one in work if isinstance(one, SoFar | Resumed)]
    (utterance,) = ended
    first, resumed, last = kinds
    assert isinstance(first, SoFar)
    assert isinstance(resumed, Resumed)
    assert isinstance(last, SoFar)
    assert first.paused
    assert last.paused
    assert first.utterance.id == last.utterance.id == utterance.id
    assert last.utterance.end == pytest.approx(utterance.end)
    assert last.ends_in == pytest.approx(0.5 - PLAN.pause_seconds, abs=0.032)
    np.testing.assert_array_equal(last.utterance.audio, utterance.audio)
    assert first.utterance.end < last.utterance.end


def test_a_long_utterance_has_news_every_two_seconds() -> None:
    """As if it ended now, under the id it will have."""
    work, (utterance,) = _ahead(_speech((1.0, 9.0), until=11.0))
    news = [one.utterance for one in work if isinstance(one, SoFar) and not one.paused]
    ends = [one.end - one.start for one in news]
    assert ends == pytest.approx([2.0, 4.0, 6.0, 8.0], abs=0.2)
    assert {one.id for one in news} == {utterance.id}


def test_a_blip_is_no_news() -> None:
    """A cough is not recognised, not even for a try."""
    work, ended = _ahead(_speech((1.0, 1.1), until=4.0))
    assert ended == []
    assert not [one for one in work if isinstance(one, SoFar)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 2.0), st.floats(0.1, 2.0)), min_size=1, max_size=4),
    st.floats(0.0, 0.4),
)
def test_looking_ahead_changes_no_utterance(
    bursts: list[tuple[float, float]], video_lag: float
) -> None:
    """Stretches and sound are those without it, and every picture given is of one of them."""
    spoken, now = [], 0.5
    for pause, length in bursts:
        spoken.append((now + pause, now + pause + length))
        now += pause + length
    sound = _speech(*spoken, until=now + 2)
    frames = frames_at([k / 20 for k in range(int(20 * (now + 2)))])
    items = heapq.merge(
        ((chunk.end, 0, chunk) for chunk in sound),
        ((frame.time + video_lag, 1, frame) for frame in frames),
        key=lambda one: one[:2],
    )
    media = [item for _, _, item in items]
    plain = _cut(_cutter(), media)
    work, ended = _ahead(media)
    assert [(one.start, one.end) for one in ended] == [(one.start, one.end) for one in plain]
    for one, other in zip(ended, plain, strict=True):
        np.testing.assert_array_equal(one.audio, other.audio)
    seen = [one.time for one in work if isinstance(one, VideoFrame)]
    assert seen == sorted(set(seen))
    for one in ended:
        assert any(one.start - SCREEN_SECONDS <= time < one.end for time in seen)


def test_short_pauses_do_not_put_off_news() -> None:
    """What is told at a pause may come to nothing."""
    spoken = [(1.0 + 0.7 * number, 1.6 + 0.7 * number) for number in range(8)]
    work, _ = _ahead(_speech(*spoken, until=9.0))
    kinds = [one for one in work if isinstance(one, SoFar)]
    news = [one.utterance.end for one in kinds if not one.paused]
    assert sum(one.paused for one in kinds) >= 5
    assert [round(end - kinds[0].utterance.start) for end in news] == [2, 4]
