"""What a bundle is calibrated on is composed as it was trained."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engine.model.recognizer import Recognizer
from training.calibration.sets import WORDLESS_DRAWS, composed_request, composed_subsets
from training.script import Job
from training.smoke import Smoke


@pytest.mark.parametrize("mismatched", [0.0, 0.3])
def test_dev_is_mismatched_as_training_is(smoke: Smoke, mismatched: float) -> None:
    """Else it would be too sure, or too little."""
    recipe = smoke.recipe.with_settings(composition={"mismatched": mismatched})
    job = Job(recipe, smoke.data, smoke.runs, smoke.runs)
    recognizer: Any = SimpleNamespace(encoders=None, labels=())
    assert composed_request(job, recognizer).mismatched == mismatched


def test_voices_and_faces_without_words_are_drawn_several_times(
    tiny_job: Job, tiny_recognizer: Recognizer
) -> None:
    """The same dialogues in the same folds, each time with other faces; words are there once."""
    sets = composed_subsets(composed_request(tiny_job, tiny_recognizer))
    once, drawn = sets["text+audio+video"], sets["audio+video"]
    assert once.second is not None
    assert drawn.second is not None
    count = len(once.whole.dialogues)
    assert len(drawn.whole.dialogues) == WORDLESS_DRAWS * count
    assert drawn.whole.truth == once.whole.truth * WORDLESS_DRAWS
    assert drawn.second.truth == once.second.truth * WORDLESS_DRAWS
    assert drawn.folds.tolist() == once.folds.tolist() * WORDLESS_DRAWS
    assert all(turn.text is None for turns in drawn.whole.dialogues for turn in turns)
    first, again = (
        [turn.video.tolist() for turns in part for turn in turns if turn.video is not None]
        for part in (drawn.whole.dialogues[:count], drawn.whole.dialogues[count : 2 * count])
    )
    assert first
    assert first != again
