"""The order of a speaker's clips tells nothing of their labels and never changes."""

from __future__ import annotations

from pathlib import Path

from training.datasets.heard import heard_order
from training.datasets.speech import SpeechClip

CLIPS = [SpeechClip(Path(f"{name}.wav"), "nemo", "TP0", "joy", None) for name in "abcdefgh"]


def test_the_order_is_fixed_and_not_that_of_names() -> None:
    """The same clips are heard in the same order wherever they lie."""
    order = heard_order(CLIPS)
    assert sorted(order) == list(range(8))
    assert order != sorted(order)
    assert "".join(CLIPS[index].path.stem for index in order) == "hcgdefba"
    moved = [SpeechClip(Path("/elsewhere") / one.path, "nemo", "TP0", "joy", None) for one in CLIPS]
    assert heard_order(moved) == order


def test_other_clips_change_no_order() -> None:
    """Of a part, the order is the same as in the whole."""
    whole = [CLIPS[index] for index in heard_order(CLIPS)]
    part = CLIPS[2:6]
    assert [part[index] for index in heard_order(part)] == [c for c in whole if c in part]
