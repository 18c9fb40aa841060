"""What a plan says of the steps before the stages."""

from __future__ import annotations

import pytest

from training.planning.hardware import Hardware
from training.planning.preparation import duration, preparations
from training.recipe import read_recipe


@pytest.mark.parametrize(
    ("hours", "said"),
    [(0.0, "under a minute"), (9.1e-05, "under a minute"), (0.2, "12 min"), (3.44, "3.4 h")],
)
def test_a_duration_is_said_as_people_do(hours: float, said: str) -> None:
    """Not as a power of ten."""
    assert duration(hours) == said


def test_the_paper_needs_clips_and_a_teacher() -> None:
    """All of MELD's clips take what they were measured to take."""
    steps = {
        step.name: step for step in preparations(read_recipe("bemerc-meld"), 13_708, Hardware())
    }
    assert list(steps) == ["encoders", "preprocess", "describe"]
    assert "21.0 GB" in steps["preprocess"].amount
    assert steps["preprocess"].hours == pytest.approx(3.0, abs=0.1)
    assert (steps["describe"].hours or 0) > 0


def test_the_compact_recipe_trains_its_encoders_and_reads_no_clips() -> None:
    """Nor does anybody describe anything."""
    (encoders,) = preparations(read_recipe("compact"), 9_989, Hardware())
    assert "FER2013" in encoders.amount
    assert (encoders.hours or 0) > 1
