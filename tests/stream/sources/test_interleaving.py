"""Sound and pictures of a file in the order in which they are heard and seen."""

from __future__ import annotations

import numpy as np
import pytest

from stream.media import SAMPLE_RATE, AudioChunk, VideoFrame
from stream.sources.base import MediaItem
from stream.sources.interleaving import LONGEST_WAIT, MOST_PICTURES, REPEAT_SECONDS, Interleaver


def _sound(time: float, seconds: float = 0.5) -> AudioChunk:
    return AudioChunk(time, np.zeros(round(seconds * SAMPLE_RATE), np.float32))


def _picture(time: float) -> VideoFrame:
    return VideoFrame(time, np.zeros((2, 2, 3), np.uint8))


def _shown(items: list[MediaItem]) -> list[tuple[str, float]]:
    return [
        ("sound" if isinstance(item, AudioChunk) else "picture", round(item.time, 3))
        for item in items
    ]


def test_sound_waits_for_a_picture_that_is_on_its_way() -> None:
    """What comes before it passes; what comes after it follows it."""
    order = Interleaver(0.04)
    order.coming(1.0)
    assert _shown(order.push(_sound(0.5))) == [("sound", 0.5)]
    assert order.push(_sound(1.0)) == []
    order.decoded(1.0)
    assert _shown(order.push(_picture(1.0))) == [("picture", 1.0), ("sound", 1.0)]


def test_pictures_wait_for_their_sound_but_not_for_ever() -> None:
    """It may be stored later, or have ended."""
    order = Interleaver(0.04)
    items = [one for n in range(60) for one in order.push(_picture(1 + n / 15))]
    assert len(items) == 60 - MOST_PICTURES
    assert _shown(order.push(_sound(0.5))) == [("sound", 0.5)]
    rest = _shown([*order.push(_sound(3.0)), *order.flush()])
    assert [kind for kind, _ in rest].index("sound") > 10
    assert len(rest) == MOST_PICTURES + 1


def test_pictures_that_a_decoder_reorders_are_waited_for_one_by_one() -> None:
    """They are stored as they are decoded, not as they are seen."""
    order = Interleaver(5.0)
    for time in (0.0, 15.0, 5.0, 10.0):
        order.coming(time)
    order.decoded(0.0)
    items = order.push(_picture(0.0))
    for step in range(22):
        items += order.push(_sound(step / 2))
    assert max(item.time for item in items) < 5.0
    order.decoded(5.0)
    items += order.push(_picture(5.0))
    assert [time for _, time in _shown(items)] == sorted(time for _, time in _shown(items))
    assert items[-1].time == pytest.approx(9.5)


def test_a_picture_that_never_comes_is_not_waited_for_long() -> None:
    """It was damaged: sound is held for two seconds, and for no more than is bounded."""
    for interval, longest in ((0.04, 2.0), (5.0, 20.0), (100.0, LONGEST_WAIT)):
        order = Interleaver(interval)
        order.coming(1.0)
        waited = 0
        while not order.push(_sound(1.0 + waited / 2)):
            waited += 1
        assert waited / 2 == pytest.approx(longest, abs=1.0)


def test_a_later_picture_shows_that_an_earlier_one_is_lost() -> None:
    """Nothing waits for it any more."""
    order = Interleaver(0.04)
    order.coming(1.0)
    order.coming(1.04)
    assert order.push(_sound(1.0)) == []
    order.decoded(1.04)
    assert _shown(order.take()) == [("sound", 1.0)]


def test_sound_waits_for_a_picture_that_is_withheld() -> None:
    """It may yet prove to move."""
    order = Interleaver(1.0)
    order.coming(0.0)
    order.decoded(0.0, withheld=0.0)
    assert order.push(_sound(0.0)) == []
    order.decoded(1.0, withheld=None)
    assert _shown(order.take()) == [("sound", 0.0)]


def test_a_picture_stays_on_screen_where_pictures_are_far_apart() -> None:
    """It is given again, with the sound, and no longer than the next one is due."""
    order = Interleaver(5.0)
    items = order.push(_picture(0.0))
    for step in range(40):
        items += order.push(_sound(step / 2))
    pictures = [time for kind, time in _shown(items) if kind == "picture"]
    assert pictures == pytest.approx([n * REPEAT_SECONDS for n in range(len(pictures))])
    assert 5.0 < pictures[-1] <= 7.5
    assert [time for _, time in _shown(items)] == sorted(time for _, time in _shown(items))


def test_pictures_of_a_usual_video_are_given_once() -> None:
    """A track of pictures that ends early does not go on."""
    order = Interleaver(0.04)
    items = order.push(_sound(0.0)) + order.push(_picture(0.0)) + order.push(_picture(0.04))
    for step in range(40):
        items += order.push(_sound(step / 2))
    assert len([kind for kind, _ in _shown(items) if kind == "picture"]) == 2


def test_at_the_end_all_is_given() -> None:
    """Whatever was still waited for."""
    order = Interleaver(0.04)
    order.coming(0.0)
    assert order.push(_sound(0.0)) == []
    assert _shown(order.flush()) == [("sound", 0.0)]
