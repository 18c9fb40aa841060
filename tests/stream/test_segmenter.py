"""Speech probabilities in, utterance boundaries out."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.segmenter import Boundary, Segmenter, SegmenterConfig
from stream.vad import WINDOW_SECONDS

SPEECH, SILENCE = 0.9, 0.1

_runs = st.lists(
    st.tuples(st.sampled_from([0.0, 0.2, 0.34, 0.4, 0.49, 0.5, 0.7, 1.0]), st.integers(1, 80)),
    max_size=25,
)
_probabilities = _runs.map(lambda runs: [p for p, count in runs for _ in range(count)])
_SHORT = SegmenterConfig(max_seconds=3.0, cut_search_seconds=1.0)
_NO_BLIPS = SegmenterConfig(max_seconds=3.0, cut_search_seconds=1.0, min_speech_seconds=0.0)


def _seconds(seconds: float, probability: float) -> list[float]:
    return [probability] * round(seconds / WINDOW_SECONDS)


def _segment(
    probabilities: list[float], config: SegmenterConfig | None = None
) -> tuple[list[Boundary], Segmenter]:
    segmenter = Segmenter(config)
    found = [
        boundary
        for number, probability in enumerate(probabilities)
        for boundary in segmenter.push(number * WINDOW_SECONDS, probability)
    ]
    return found + segmenter.flush(), segmenter


def _holders(time: float, found: list[Boundary]) -> int:
    middle = time + WINDOW_SECONDS / 2
    return sum(boundary.start < middle < boundary.end for boundary in found)


@given(_probabilities)
def test_every_speech_window_is_in_exactly_one_utterance(probabilities: list[float]) -> None:
    """With no shortest utterance, nothing that opens or continues speech is lost or doubled."""
    found, _ = _segment(probabilities, _NO_BLIPS)
    for number, probability in enumerate(probabilities):
        if probability >= _NO_BLIPS.enter_probability:
            assert _holders(number * WINDOW_SECONDS, found) == 1


@given(_probabilities)
def test_only_blips_are_ever_left_out_and_each_is_counted(probabilities: list[float]) -> None:
    """Speech outside all utterances adds up to less than the shortest utterance per blip."""
    found, segmenter = _segment(probabilities, _SHORT)
    lost = [
        number
        for number, probability in enumerate(probabilities)
        if probability >= _SHORT.enter_probability and _holders(number * WINDOW_SECONDS, found) != 1
    ]
    shortest = _SHORT.min_speech_seconds
    assert len(lost) * WINDOW_SECONDS <= segmenter.blips * shortest
    doubtful = [
        number
        for number, probability in enumerate(probabilities)
        if probability >= _SHORT.leave_probability and _holders(number * WINDOW_SECONDS, found) != 1
    ]
    assert segmenter.blips <= len(doubtful)


@given(_probabilities)
def test_utterances_keep_their_order_and_length(probabilities: list[float]) -> None:
    """None is empty, none is above the maximum, none overlaps the one before it."""
    found, _ = _segment(probabilities, _SHORT)
    for boundary in found:
        assert 0 < boundary.end - boundary.start <= _SHORT.max_seconds + 1e-6
        assert 0 <= boundary.start < boundary.end <= len(probabilities) * WINDOW_SECONDS + 1e-6
    for before, after in itertools.pairwise(found):
        assert before.end <= after.start


@given(_probabilities)
def test_no_boundary_starts_before_what_was_promised(probabilities: list[float]) -> None:
    """What lies before `earliest` can be forgotten."""
    segmenter, promised = Segmenter(_SHORT), 0.0
    for number, probability in enumerate(probabilities):
        for boundary in segmenter.push(number * WINDOW_SECONDS, probability):
            assert boundary.start >= promised - 1e-9
        assert segmenter.earliest >= promised - 1e-9
        promised = segmenter.earliest


@given(_probabilities, st.integers(1, 12))
def test_holes_in_the_sound_never_end_up_inside_an_utterance(
    probabilities: list[float], hole_seconds: int
) -> None:
    """Where windows are left out, the utterance before the hole ends there."""
    segmenter, half = Segmenter(_NO_BLIPS), len(probabilities) // 2
    shift = half * WINDOW_SECONDS + hole_seconds
    found = [b for n in range(half) for b in segmenter.push(n * WINDOW_SECONDS, probabilities[n])]
    for number, probability in enumerate(probabilities[half:]):
        found += segmenter.push(shift + number * WINDOW_SECONDS, probability)
    for boundary in found + segmenter.flush():
        assert boundary.end <= half * WINDOW_SECONDS + 1e-6 or boundary.start >= shift


def test_an_utterance_takes_pre_roll_and_post_roll_along() -> None:
    """It begins 0.2 s before the first speech and ends 0.03 s after the last."""
    found, _ = _segment(_seconds(1, SILENCE) + _seconds(1, SPEECH) + _seconds(1, SILENCE))
    [boundary] = found
    first, last = 31 * WINDOW_SECONDS, 62 * WINDOW_SECONDS
    assert boundary.start == pytest.approx(first - 0.2)
    assert boundary.end == pytest.approx(last + 0.03)


def test_it_ends_as_soon_as_the_hangover_is_over() -> None:
    """A live listener waits half a second, not longer."""
    segmenter = Segmenter()
    probabilities = _seconds(1, SPEECH) + _seconds(2, SILENCE)
    ended = next(
        number
        for number, probability in enumerate(probabilities)
        if segmenter.push(number * WINDOW_SECONDS, probability)
    )
    silence = (ended + 1) * WINDOW_SECONDS - len(_seconds(1, SPEECH)) * WINDOW_SECONDS
    assert 0.5 <= silence < 0.5 + WINDOW_SECONDS


def test_a_pause_shorter_than_the_hangover_does_not_split() -> None:
    """A breath belongs to the utterance."""
    found, _ = _segment(_seconds(1, SPEECH) + _seconds(0.4, SILENCE) + _seconds(1, SPEECH))
    assert len(found) == 1


def test_doubtful_sound_continues_speech_but_does_not_open_it() -> None:
    """Between the two thresholds the state stays as it is."""
    assert _segment(_seconds(3, 0.4))[0] == []
    [boundary] = _segment(_seconds(0.1, SPEECH) + _seconds(3, 0.4))[0]
    assert boundary.end == pytest.approx(97 * WINDOW_SECONDS, abs=WINDOW_SECONDS)


def test_a_blip_alone_is_let_go_and_counted() -> None:
    """A click makes no utterance."""
    found, segmenter = _segment(_seconds(0.15, SPEECH) + _seconds(3, SILENCE))
    assert found == []
    assert segmenter.blips == 1


def test_a_blip_becomes_part_of_the_speech_that_follows() -> None:
    """A short word before a pause of 0.8 s is kept."""
    found, segmenter = _segment(
        _seconds(0.15, SPEECH) + _seconds(0.8, SILENCE) + _seconds(1, SPEECH)
    )
    assert [boundary.start for boundary in found] == [0.0]
    assert segmenter.blips == 0


def test_pre_roll_never_reaches_into_the_utterance_before() -> None:
    """The next utterance begins where the last one ended, at the earliest."""
    config = SegmenterConfig(pre_roll_seconds=2.0)
    found, _ = _segment(_seconds(1, SPEECH) + _seconds(0.6, SILENCE) + _seconds(1, SPEECH), config)
    assert found[0].end == found[1].start


def test_a_monologue_is_cut_at_its_quietest_moment() -> None:
    """The cut falls before the least likely window of the last two seconds."""
    quiet = 14.0
    before = _seconds(quiet, SPEECH)
    found, _ = _segment([*before, 0.6, *_seconds(6, SPEECH)])
    assert found[0].end == pytest.approx(len(before) * WINDOW_SECONDS)
    assert found[1].start == found[0].end


def test_ten_minutes_of_speech_become_utterances_that_touch() -> None:
    """No sample of a long monologue is lost or doubled, and memory does not grow."""
    found, segmenter = _segment(_seconds(600, SPEECH))
    assert found[0].start == 0
    assert found[-1].end == pytest.approx(600, abs=WINDOW_SECONDS)
    assert all(a.end == b.start for a, b in itertools.pairwise(found))
    assert all(14 < boundary.end - boundary.start <= 15 for boundary in found[:-1])
    assert len(segmenter._recent) <= 2.0 / WINDOW_SECONDS + 1


def test_the_rest_after_a_cut_is_an_utterance_if_it_is_long_enough() -> None:
    """Nothing of a monologue of 16 s is lost."""
    found, segmenter = _segment(_seconds(16, SPEECH) + _seconds(2, SILENCE))
    assert len(found) == 2
    assert found[1].start == found[0].end
    assert segmenter.blips == 0


@pytest.mark.parametrize("config", [SegmenterConfig(), SegmenterConfig(keep_short=True)])
def test_a_remainder_after_a_cut_is_let_go_and_counted(config: SegmenterConfig) -> None:
    """A fifth of a second is the end of a word, not an utterance of its own."""
    found, segmenter = _segment(_seconds(15.1, SPEECH) + _seconds(2, SILENCE), config)
    assert len(found) == 1
    assert segmenter.blips == 1


def test_a_remainder_after_a_cut_becomes_part_of_what_follows() -> None:
    """With more speech soon after, nothing is lost."""
    sound = [*_seconds(15.1, SPEECH), *_seconds(0.7, SILENCE), *_seconds(1, SPEECH)]
    found, segmenter = _segment(sound)
    assert len(found) == 2
    assert found[1].start == found[0].end
    assert segmenter.blips == 0


def test_what_was_spoken_before_the_end_is_no_remainder() -> None:
    """Speech between the cut and the moment of cutting counts: up to two seconds of it."""
    quiet = [*_seconds(14, SPEECH), 0.6, *_seconds(1.1, SPEECH)]
    found, segmenter = _segment([*quiet, *_seconds(2, SILENCE)])
    assert [round(one.end - one.start, 1) for one in found] == [14.0, 1.2]
    assert segmenter.blips == 0


def test_a_short_word_is_given_where_somebody_can_judge_it() -> None:
    """After the second in which it might have gone on, and marked as short."""
    config = SegmenterConfig(keep_short=True)
    found, segmenter = _segment(_seconds(0.15, SPEECH) + _seconds(3, SILENCE), config)
    assert [(one.start, one.short) for one in found] == [(0.0, True)]
    assert segmenter.blips == 0
    assert segmenter.tentative is None


def test_a_click_is_no_short_word() -> None:
    """One window of sound is let go and counted."""
    config = SegmenterConfig(keep_short=True)
    found, segmenter = _segment([SPEECH, *_seconds(3, SILENCE)], config)
    assert found == []
    assert segmenter.blips == 1


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"enter_probability": 0.2}, "enter_probability"),
        ({"leave_probability": 0.0}, "leave_probability"),
        ({"post_roll_seconds": 0.9}, "post_roll_seconds"),
        ({"pre_roll_seconds": -1.0}, "pre_roll_seconds"),
        ({"max_seconds": 1.0}, "max_seconds"),
        ({"cut_search_seconds": 0.0}, "cut_search_seconds"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    setting: dict[str, float], named: str
) -> None:
    """The message names what is wrong."""
    with pytest.raises(ValueError, match=named):
        SegmenterConfig(**setting)


@pytest.mark.parametrize(
    ("speech", "patience"),
    [(1.0, SegmenterConfig.hangover_seconds), (0.1, SegmenterConfig.merge_seconds)],
    ids=["an utterance", "a blip"],
)
def test_when_it_ends_is_known_before(speech: float, patience: float) -> None:
    """What is left of the silence that ends it, until it does."""
    segmenter = Segmenter()
    assert segmenter.ends_in == math.inf
    probabilities = _seconds(speech, SPEECH)
    for number, probability in enumerate(probabilities):
        segmenter.push(number * WINDOW_SECONDS, probability)
        assert segmenter.ends_in == pytest.approx(patience) or number * WINDOW_SECONDS < 0.25
    silent = 0
    while segmenter.open_since is not None:
        assert segmenter.ends_in == pytest.approx(patience - silent * WINDOW_SECONDS)
        segmenter.push((len(probabilities) + silent) * WINDOW_SECONDS, SILENCE)
        silent += 1
    assert 0 <= silent * WINDOW_SECONDS - patience < WINDOW_SECONDS
    assert segmenter.ends_in == math.inf
