"""Sound made safe, and put on the sample clock."""

from __future__ import annotations

import numpy as np

from stream.audio import SampleClock, clean
from stream.media import SAMPLE_RATE


def test_what_is_no_number_becomes_silence_and_the_rest_is_clipped() -> None:
    """NaN and infinity never reach a model, nor does sound beyond full scale."""
    sound = np.array([np.nan, np.inf, -np.inf, 3.0, -3.0, 0.25])
    assert clean(sound).tolist() == [0, 0, 0, 1, -1, 0.25]
    assert clean(sound).dtype == np.float32


def test_cleaning_leaves_its_input_alone() -> None:
    """The caller keeps what it had."""
    sound = np.array([2.0, np.nan], np.float32)
    clean(sound)
    assert sound[0] == 2.0
    assert np.isnan(sound[1])


def test_blocks_with_rounded_timestamps_join_without_a_seam() -> None:
    """Timestamps rounded to a millisecond neither cut nor pad."""
    clock, block = SampleClock(), np.ones(341, np.float32)
    chunks = [clock.place(round(n * 341 / SAMPLE_RATE, 3), block) for n in range(200)]
    starts = [round(chunk.time * SAMPLE_RATE) for chunk in chunks if chunk]
    assert starts == [n * 341 for n in range(200)]


def test_a_gap_stays_where_the_timestamps_put_it() -> None:
    """The chunk after a gap starts at its own time."""
    clock = SampleClock()
    clock.place(0.0, np.ones(1600))
    after = clock.place(0.5, np.ones(1600))
    assert after is not None
    assert after.time == 0.5


def test_an_overlap_is_trimmed_from_the_later_block() -> None:
    """No sample of the clock is given twice."""
    clock = SampleClock()
    clock.place(0.0, np.zeros(1600))
    after = clock.place(0.05, np.ones(1600))
    assert after is not None
    assert (after.time, len(after.samples)) == (0.1, 800)


def test_a_block_that_is_wholly_known_is_left_out() -> None:
    """Nothing new gives nothing."""
    clock = SampleClock()
    clock.place(0.0, np.zeros(16000))
    assert clock.place(0.2, np.zeros(1600)) is None


def test_sound_before_the_start_of_the_media_is_left_out() -> None:
    """The clock has no negative times."""
    chunk = SampleClock().place(-0.05, np.ones(1600))
    assert chunk is not None
    assert (chunk.time, len(chunk.samples)) == (0.0, 800)
