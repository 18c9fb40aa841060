"""What the engine tells of a modality, beside reading the turn anew without it."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_model import random_turn

from benchmarks.contributions import compare, contributions
from engine.model.recognizer import Recognizer


def test_both_ways_are_measured(tiny_recognizer: Recognizer) -> None:
    """They differ where the words have taken something from voice and face."""
    spec = tiny_recognizer.spec
    past = [random_turn(spec, 1, "Ann", "well then")]
    turn = random_turn(spec, 2, "Ben", "oh really you did that", windows=3)
    told, anew = contributions(tiny_recognizer, past, turn)
    assert told != pytest.approx(anew, abs=1e-6)
    assert all(-1 <= value <= 1 for value in (*told, *anew))


def test_figures() -> None:
    """Of voice and face, each for itself."""
    anew = np.array([[0.1, -0.2], [0.3, 0.2], [0.2, 0.0]])
    figures = compare(anew + np.array([0.01, 0.0]), anew)
    assert figures["audio"]["mean difference"] == pytest.approx(0.01)
    assert figures["audio"]["correlation"] == pytest.approx(1)
    assert figures["video"]["mean difference"] == 0
    assert figures["video"]["mean size"] == pytest.approx(0.4 / 3)
