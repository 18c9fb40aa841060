"""Every track of a participant on one clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_factory import frames_at

from stream.media import SAMPLE_RATE, AudioChunk
from stream.timeline import Timeline

_chunks = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 120)), max_size=12)
_stretches = st.tuples(st.integers(0, 600), st.integers(0, 600)).map(sorted)


@given(_chunks, _stretches)
def test_a_cut_reads_what_came_first_and_zeros_elsewhere(
    chunks: list[tuple[int, int]], stretch: list[int]
) -> None:
    """Against a plain array: late chunks fill only what lies after all sound so far."""
    timeline, expected, end = Timeline(), np.zeros(700, np.float32), 0
    for number, (start, length) in enumerate(chunks, 1):
        sound = np.full(length, number / 20, np.float32)
        timeline.push(AudioChunk(start / SAMPLE_RATE, sound))
        first = max(start, end)
        if start + length > first:
            expected[first : start + length] = number / 20
            end = start + length
    low, high = stretch
    _, samples = timeline.cut(low / SAMPLE_RATE, high / SAMPLE_RATE)
    np.testing.assert_array_equal(samples, expected[low:high])
    silent = np.count_nonzero(expected[low:high] == 0) / SAMPLE_RATE
    assert timeline.missing_seconds(low / SAMPLE_RATE, high / SAMPLE_RATE) == pytest.approx(silent)


@given(_chunks, st.integers(0, 600))
def test_dropping_forgets_the_past_and_keeps_the_rest(
    chunks: list[tuple[int, int]], before: int
) -> None:
    """What is at or after the cut-off reads the same as before."""
    timeline = Timeline()
    for start, length in chunks:
        timeline.push(AudioChunk(start / SAMPLE_RATE, np.full(length, 0.5, np.float32)))
    kept = timeline.samples(before / SAMPLE_RATE, 700 / SAMPLE_RATE)
    timeline.drop(before / SAMPLE_RATE)
    np.testing.assert_array_equal(timeline.samples(before / SAMPLE_RATE, 700 / SAMPLE_RATE), kept)
    assert not timeline.samples(0, before / SAMPLE_RATE).any()
    assert timeline.retained_samples == np.count_nonzero(kept)


def test_an_hour_of_media_stays_under_the_bounds() -> None:
    """Memory is bounded even when nobody drops anything, and what is lost is counted."""
    timeline = Timeline(max_seconds=20, max_frames=100)
    for second in range(3600):
        timeline.push(AudioChunk(second, np.zeros(SAMPLE_RATE, np.float32)))
        for frame in frames_at(second + n / 15 for n in range(15)):
            timeline.push(frame)
        assert timeline.retained_samples <= 20 * SAMPLE_RATE
        assert timeline.retained_frames <= 100
    assert timeline.frames_dropped == 3600 * 15 - 100
    assert timeline.audio_seconds_dropped == pytest.approx(3580)


def test_a_pause_of_an_hour_costs_no_memory() -> None:
    """A gap is not filled until it is read."""
    timeline = Timeline(max_seconds=7200)
    timeline.push(AudioChunk(0.0, np.ones(100, np.float32)))
    timeline.push(AudioChunk(3600.0, np.ones(100, np.float32)))
    assert timeline.retained_samples == 200


def test_frames_out_of_order_are_put_in_order() -> None:
    """A cut gives frames by time, whatever order they came in."""
    timeline = Timeline()
    for frame in frames_at([0.2, 0.0, 0.1]):
        timeline.push(frame)
    assert [frame.time for frame in timeline.frames(0, 1)] == [0.0, 0.1, 0.2]


def test_a_cut_takes_its_start_and_leaves_its_end() -> None:
    """Two cuts that touch share no frame and no sample."""
    timeline = Timeline()
    for frame in frames_at([0.0, 1.0, 2.0]):
        timeline.push(frame)
    assert [frame.time for frame in timeline.cut(0.0, 1.0)[0]] == [0.0]
    assert [frame.time for frame in timeline.cut(1.0, 2.0)[0]] == [1.0]


def test_the_frame_on_screen_is_the_newest_that_is_not_later() -> None:
    """With a variable frame rate a picture may stay for long."""
    timeline = Timeline()
    for frame in frames_at([1.0, 5.0]):
        timeline.push(frame)
    assert timeline.frame_at(0.5) is None
    on_screen = timeline.frame_at(4.9)
    assert on_screen is not None
    assert on_screen.time == 1.0


def test_sound_that_is_no_number_is_kept_as_silence() -> None:
    """Whatever the source, a model never sees NaN."""
    timeline = Timeline()
    timeline.push(AudioChunk(0.0, np.array([np.nan, 9.0], np.float32)))
    assert timeline.samples(0, 2 / SAMPLE_RATE).tolist() == [0.0, 1.0]


def test_an_empty_timeline_gives_silence_and_no_frames() -> None:
    """Cutting before anything arrived is no error."""
    frames, samples = Timeline().cut(0.0, 0.01)
    assert frames == []
    assert samples.tolist() == [0.0] * 160
