"""Scales of many clips at once are those that `SpeakerScale` gives one after the other."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.model.speaker import SpeakerScale
from training.voice.history import MOST_HEARD, SpeakerHistory, at

OWNER = torch.tensor([0, 0, 1, 2, 2, 2, 3, 4, 4])
SPEAKERS = ("a", "b", "a", "a", "b")
WINDOWS = torch.randn(len(OWNER), 3, generator=torch.Generator().manual_seed(1))


def after(*clips: int) -> SpeakerScale:
    """Of a speaker who said these clips."""
    scale = SpeakerScale.unknown(3)
    for clip in clips:
        scale = scale.heard(WINDOWS[OWNER == clip])
    return scale


def assert_scales(scale: SpeakerScale, *expected: SpeakerScale) -> None:
    """Each clip's windows are normalised as after what was heard before it."""
    normalised = at(scale, OWNER).normalise(WINDOWS)
    for clip, one in enumerate(expected):
        torch.testing.assert_close(normalised[OWNER == clip], one.normalise(WINDOWS[OWNER == clip]))


def test_all_earlier_clips_of_the_speaker_and_no_others() -> None:
    """Neither the clip itself nor a later one nor another speaker's."""
    history = SpeakerHistory(WINDOWS, OWNER, SPEAKERS)
    assert_scales(history.all_before(), after(), after(), after(0), after(0, 2), after(1))


def test_so_many_before() -> None:
    """The last ones stand before the first; never the clip itself."""
    history = SpeakerHistory(WINDOWS, OWNER, SPEAKERS)
    assert_scales(history.some_before(0), *[after()] * 5)
    assert_scales(history.some_before(1), after(3), after(4), after(0), after(2), after(1))
    many = history.some_before(9)
    assert_scales(many, after(2, 3), after(4), after(0, 3), after(0, 2), after(1))


def test_drawn_histories_are_of_the_speaker_and_differ() -> None:
    """Some clips come first, none hears itself, and no history is longer than the most."""
    count = 200
    windows = torch.arange(count, dtype=torch.float32)[:, None]  # a clip's number is its window
    speakers = tuple("ab"[index % 2] for index in range(count))
    history = SpeakerHistory(windows % 2, torch.arange(count), speakers)
    generator = torch.Generator().manual_seed(1)
    first, second = (Tensor(history.drawn(generator).count) for _ in range(2))
    assert int(first.min()) == 0
    assert 0.05 < float((first == 0).float().mean()) < 0.3
    assert int(first.max()) == MOST_HEARD
    assert not torch.equal(first, second)
    drawn = history.drawn(generator)
    others = drawn.total[torch.arange(count) % 2 == 0]  # of speaker a, whose windows are all 0
    assert others.abs().max() == 0
