"""One model on one set of examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.model.calibration import Calibration
from engine.model.model import EmotionModel
from engine.model.recognizer import used_modalities
from engine.model.spec import MODALITIES
from training.evaluation.label_map import require_known
from training.evaluation.predictions import Predictions
from training.predict import NO_COUNTERPART, UNLABELLED, Examples, model_probabilities

Extra = dict[str, float | int | str]
"""Figures that only some corpora have."""


@dataclass(frozen=True, eq=False)
class Scored:
    """What came out."""

    predictions: Predictions
    """Of the turns that have a truth."""
    modalities: Mapping[str, int]
    """How many of them have words, a voice, pictures."""
    extra: Extra
    """`left_out` turns whose emotion the bundle does not know, `unlabelled` ones without an
    emotion, and of each second annotation NAME `NAME_accuracy` over `NAME_n` turns."""


def score(model: EmotionModel, calibration: Calibration, examples: Examples) -> Scored:
    """Predict every turn, with those before it as context, and compare with the truth.

    Raises:
        UserError: No turn has a label of the model.
    """
    require_known(examples.truth, model.spec.labels)
    truth = np.array(examples.truth)
    known = truth >= 0
    given = model_probabilities(model, calibration, examples.dialogues).double().numpy()
    dialogues = np.repeat(np.arange(len(examples.dialogues)), [len(d) for d in examples.dialogues])
    turns = [turn for dialogue in examples.dialogues for turn in dialogue]
    used = Counter(
        name
        for turn, has in zip(turns, known, strict=True)
        if has
        for name in used_modalities(turn)
    )
    return Scored(
        Predictions(model.spec.labels, truth[known], given[known], dialogues[known]),
        {name: used[name] for name in MODALITIES},
        _left_out(truth) | _second(examples, given),
    )


def _left_out(truth: np.ndarray) -> Extra:
    counts = {
        "left_out": int((truth == NO_COUNTERPART).sum()),
        "unlabelled": int((truth == UNLABELLED).sum()),
    }
    return {name: count for name, count in counts.items() if count}


def _second(examples: Examples, given: np.ndarray) -> Extra:
    extra: Extra = {}
    for name, values in examples.second_truth.items():
        other = np.array(values)
        known = other >= 0
        extra[f"{name}_accuracy"] = float((given.argmax(1) == other)[known].mean())
        extra[f"{name}_n"] = int(known.sum())
    return extra
