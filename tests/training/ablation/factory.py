"""Outcomes that were not trained for, so that tables of them can be checked by hand."""

from __future__ import annotations

import numpy as np

from training.ablation.outcome import Outcome
from training.evaluation.predictions import Predictions
from training.learning.cost import StageCost

LABELS = ("joy", "anger", "fear")


def outcome(
    right: float, seed: int = 1, dialogues: int = 40, stages: tuple[str, ...] = ("stage2",)
) -> Outcome:
    """Predictions of which about a share is right, on the same turns whatever share and seed."""
    turns = 5 * dialogues
    truth = np.random.default_rng(0).integers(0, 3, turns)
    rng = np.random.default_rng(seed)
    wrong = rng.random(turns) >= right
    predicted = np.where(wrong, (truth + rng.integers(1, 3, turns)) % 3, truth)
    given = np.full((turns, 3), 0.1)
    given[np.arange(turns), predicted] = 0.8
    places = np.repeat(np.arange(dialogues), 5)
    costs = {
        name: StageCost(name, 10.0 * seed, 1000, 1200, 7, 2e12, seed * 10**9) for name in stages
    }
    return Outcome(seed, Predictions(LABELS, truth, given, places), costs)
