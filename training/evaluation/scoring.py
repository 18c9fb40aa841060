"""One model on one set of examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.model.calibration import Calibration
from engine.model.model import EmotionModel
from engine.model.recognizer import used_modalities
from engine.model.spec import MODALITIES
from training.evaluation.label_map import require_known
from training.evaluation.metrics import Scores
from training.evaluation.predict import (
    NO_COUNTERPART,
    UNLABELLED,
    Examples,
    TurnName,
    model_probabilities,
)
from training.evaluation.predictions import Predictions

GENDERS = ("female", "male")
"""That the corpora name."""

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
    emotion; of a bundle that abstains the share `answered` and `accuracy_where_answered`; and of
    each second annotation NAME `NAME_accuracy` over `NAME_n` turns."""
    genders: tuple[str, ...] = ()
    """Of who speaks each scored turn, "" where unknown; empty where none is known."""
    used: tuple[tuple[str, ...], ...] = ()
    """What each scored turn was recognised from."""
    names: tuple[TurnName, ...] = ()
    """Where each scored turn is in its corpus; empty where it has no conversations."""

    def by_gender(self) -> dict[str, Scores]:
        """Figures of each gender of whom there are turns."""
        found = np.array(self.genders)
        return {
            gender: self.predictions.only(found == gender).scores()
            for gender in GENDERS
            if (found == gender).any()
        }


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
    predictions = Predictions(model.spec.labels, truth[known], given[known], dialogues[known])
    names = [used_modalities(turn) for turn, has in zip(turns, known, strict=True) if has]
    return Scored(
        predictions,
        {name: used[name] for name in MODALITIES},
        _left_out(truth) | _answered(calibration, predictions, names) | _second(examples, given),
        tuple(np.array(examples.genders)[known].tolist()) if examples.genders else (),
        tuple(names),
        tuple(name for name, has in zip(examples.names, known, strict=False) if has),
    )


def _answered(
    calibration: Calibration, predictions: Predictions, used: Sequence[Sequence[str]]
) -> Extra:
    """How often the bundle does not abstain, and how right it is then."""
    if not any(calibration.abstain_below.values()):
        return {}
    given = zip(predictions.confidence.tolist(), used, strict=True)
    answered = np.array([not calibration.abstains(*one) for one in given])
    extra: Extra = {"answered": float(answered.mean())}
    if answered.any():
        extra["accuracy_where_answered"] = float(predictions.hits[answered].mean())
    return extra


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
