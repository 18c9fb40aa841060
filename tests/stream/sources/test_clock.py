"""Timestamps of two tracks as seconds on one clock."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.sources.clock import TrackClock

_VIDEO, _AUDIO = 0.04, 0.02


def _place(
    times: Iterable[float | None], duration: float = 1.0, origin: float = 0.0
) -> list[float]:
    """Where the frames of a lone track are placed."""
    clock: TrackClock[int] = TrackClock(origin)
    placed = [one for n, time in enumerate(times) for one in clock.push(n, time, duration)]
    placed += clock.flush()
    assert [item for item, _ in placed] == list(range(len(placed)))
    return [time for _, time in placed]


def _both(
    video: list[float], audio: list[float], lead: float = 0.0
) -> tuple[list[float], list[float], int]:
    """Where two tracks are placed whose frames are stored by their true times.

    Args:
        video: Timestamps, of pictures 40 ms apart.
        audio: Timestamps, of frames 20 ms apart.
        lead: Seconds by which the sound is stored early.
    """
    clocks: dict[str, TrackClock[str]] = {"v": TrackClock(0.0), "a": TrackClock(0.0)}
    clocks["v"].join(clocks["a"])
    stored = [(n * _VIDEO, "v", time, _VIDEO) for n, time in enumerate(video)]
    stored += [(n * _AUDIO - lead, "a", time, _AUDIO) for n, time in enumerate(audio)]
    placed: dict[str, list[float]] = {"v": [], "a": []}
    for _, kind, time, duration in sorted(stored):
        placed[kind] += [t for _, t in clocks[kind].push(kind, time, duration)]
    for kind, clock in clocks.items():
        placed[kind] += [t for _, t in clock.flush()]
    return placed["v"], placed["a"], clocks["v"].wrong + clocks["a"].wrong


def _steady(seconds: float, step: float) -> list[float]:
    return [n * step for n in range(round(seconds / step))]


def test_two_recordings_in_one_file_follow_each_other() -> None:
    """A track that jumps back goes on where it was."""
    times = [10.0, 11.0, 12.0, 0.0, 1.0, 2.0]
    assert _place(times, origin=10.0) == [0, 1, 2, 3, 4, 5]


def test_a_damaged_timestamp_does_not_send_the_clock_to_another_age() -> None:
    """A leap of over an hour is no pause."""
    assert _place([0.0, 1.0, 1e15, 2e15]) == [0, 1, 2, 3]


def test_frames_without_timestamps_follow_each_other() -> None:
    """Raw streams carry none."""
    assert _place([None] * 3, 0.5) == [0, 0.5, 1.0]


def test_small_steps_back_and_real_pauses_are_left_alone() -> None:
    """Jitter and a break of ten minutes are as the container says."""
    assert _place([0.0, 0.04, 0.02, 600.0], 0.04) == [0.0, 0.04, 0.02, 600]


def test_a_track_may_begin_a_little_early() -> None:
    """Decoders are given some pictures and sound that lie before the beginning."""
    assert _place([-0.6, -0.2, 0.2], 0.4) == [-0.6, -0.2, 0.2]


@pytest.mark.parametrize("by", [1.5, 5.0, 30.0, 500.0, 95_443.7, -2.0, -30.0, -500.0])
@pytest.mark.parametrize("at", [0, 1, 50, 99])
@pytest.mark.parametrize("kind", ["video", "audio"])
def test_one_wrong_timestamp_moves_nothing(by: float, at: int, kind: str) -> None:
    """Its frame keeps its place, and so do all others; the fault is counted."""
    video, audio = _steady(8, _VIDEO), _steady(8, _AUDIO)
    (video if kind == "video" else audio)[at] += by
    seen, heard, wrong = _both(video, audio)
    if at > 0 or by > 0:
        assert seen == pytest.approx(_steady(8, _VIDEO))
        assert heard == pytest.approx(_steady(8, _AUDIO))
        assert wrong == 1


def test_wrong_timestamps_now_and_then_are_counted_each() -> None:
    """A damaged file has more than one."""
    video = _steady(8, _VIDEO)
    for at in (20, 60, 61, 150):
        video[at] += 7.0 * at
    seen, _, wrong = _both(video, _steady(8, _AUDIO))
    assert seen == pytest.approx(_steady(8, _VIDEO))
    assert wrong >= 2


@pytest.mark.parametrize("by", [5.0, 30.0, 500.0, -30.0, -500.0])
def test_a_burst_of_wrong_timestamps_leaves_no_trace(by: float) -> None:
    """The other track tells that the media did not leap."""
    video = _steady(12, _VIDEO)
    for at in range(100, 120):
        video[at] += by
    seen, heard, _ = _both(video, _steady(12, _AUDIO))
    assert seen == pytest.approx(_steady(12, _VIDEO))
    assert heard == pytest.approx(_steady(12, _AUDIO))


@pytest.mark.parametrize("by", [30.0, 500.0, 50_000.0, -30.0, -95_443.7])
def test_a_track_that_leaps_alone_stays_in_step(by: float) -> None:
    """From then on all of its timestamps are wrong by the same time."""
    video = [time + (by if time > 4 else 0) for time in _steady(8, _VIDEO)]
    seen, heard, _ = _both(video, _steady(8, _AUDIO))
    assert seen == pytest.approx(_steady(8, _VIDEO))
    assert heard == pytest.approx(_steady(8, _AUDIO))


@pytest.mark.parametrize("by", [-3.0, -30.0, -95_443.7, 50_000.0])
@pytest.mark.parametrize("lead", [0.0, 0.7, -0.7])
def test_a_programme_that_begins_anew_goes_on_in_step(by: float, lead: float) -> None:
    """Both tracks are moved by the same time, whichever of them leaps first."""
    video = [time + (by if time > 3.9 else 0) for time in _steady(8, _VIDEO)]
    audio = [time + (by if time > 3.9 else 0) for time in _steady(8, _AUDIO)]
    seen, heard, wrong = _both(video, audio, lead)
    assert seen == pytest.approx(_steady(8, _VIDEO), abs=0.05)
    assert heard == pytest.approx(_steady(8, _AUDIO), abs=0.05)
    assert wrong == 0


@pytest.mark.parametrize("lead", [0.0, 0.7, -0.7])
def test_a_pause_of_both_tracks_stays_a_pause(lead: float) -> None:
    """A recorder that was paused: captions beside the file go by its times."""
    video = [time + (60 if time > 3.9 else 0) for time in _steady(8, _VIDEO)]
    audio = [time + (60 if time > 3.9 else 0) for time in _steady(8, _AUDIO)]
    seen, heard, wrong = _both(video, audio, lead)
    assert heard == pytest.approx(audio, abs=0.05) or seen == pytest.approx(video, abs=0.05)
    assert (seen[-1], heard[-1]) == pytest.approx((video[-1], audio[-1]), abs=0.05)
    assert wrong == 0


def test_pictures_far_apart_are_as_the_container_says() -> None:
    """Each of them is a leap of its own, and all are real."""
    times = [0.0, 5.0, 10.0, 17.0, 60.0]
    assert _place(times, 0.04) == times
    clocks: list[TrackClock[str]] = [TrackClock(0.0), TrackClock(0.0)]
    clocks[0].join(clocks[1])
    placed = []
    for n in range(3000):
        clocks[1].push("sound", n * 0.02, 0.02)
        if n % 250 == 0:
            placed += [(t, n * 0.02) for _, t in clocks[0].push("picture", n * 0.02, 0.04)]
    assert [time for time, _ in placed] == pytest.approx([5.0 * n for n in range(12)])
    assert all(time == pytest.approx(now) for time, now in placed)  # none was held


def test_pictures_that_come_faster_than_their_container_says_keep_their_times() -> None:
    """A screen recording says how many there are on average; a wrong time is still found."""
    times = [0.0, 0.1, 0.2, 1.5, 1.6, 4.0, 4.1]
    assert _place(times, 0.7) == times
    wrong = [*times[:4], 31.6, *times[5:]]
    assert _place(wrong, 0.7) == pytest.approx([*times[:4], 2.2, *times[5:]])


def test_after_a_seek_time_is_where_it_landed() -> None:
    """It may land well before; a damaged timestamp is still no other age."""
    clock: TrackClock[int] = TrackClock(10.0)
    clock.skip(300.0)
    assert clock.push(0, 250.0, 1.0) == [(0, 240.0)]
    clock = TrackClock(0.0)
    clock.skip(700.0)
    assert clock.push(0, 1e9, 1.0) == [(0, 100.0)]


@given(st.lists(st.floats(-1e6, 1e6) | st.none(), max_size=60))
def test_whatever_comes_time_hardly_goes_back_and_nothing_is_lost(
    times: list[float | None],
) -> None:
    """A frame is never more than jitter before the one before it."""
    placed = _place(times, 0.04)
    assert len(placed) == len(times)
    assert all(b - a >= -1.0 for a, b in itertools.pairwise(placed))
