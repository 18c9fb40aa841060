"""What a bundle is calibrated on is composed as it was trained."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from training.calibration.sets import composed_request
from training.script import Job
from training.smoke import Smoke


@pytest.mark.parametrize("mismatched", [0.0, 0.3])
def test_dev_is_mismatched_as_training_is(smoke: Smoke, mismatched: float) -> None:
    """Else it would be too sure, or too little."""
    recipe = smoke.recipe.with_settings(composition={"mismatched": mismatched})
    job = Job(recipe, smoke.data, smoke.runs, smoke.runs)
    recognizer: Any = SimpleNamespace(encoders=None, labels=())
    assert composed_request(job, recognizer).mismatched == mismatched
