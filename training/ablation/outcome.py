"""What one training of a variant came to: its predictions on dev and its cost.

`predictions.json` lies beside the weights, so that tables are made again without training.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream.errors import UserError
from training.evaluation.predictions import Predictions
from training.evaluation.training_record import read_training_record
from training.learning.cost import StageCost

PREDICTIONS = "predictions.json"
STAGES = ("stage1", "stage2")


@dataclass(frozen=True, eq=False)
class Outcome:
    """Of one variant with one seed."""

    seed: int
    predictions: Predictions
    costs: Mapping[str, StageCost]
    """By stage, of `STAGES`; one that the variant does not have is not there."""


def write_predictions(path: Path, predictions: Predictions, ids: list[str], owner: str) -> None:
    """Write predictions in one step.

    Args:
        path: Of the file.
        predictions: Of N turns.
        ids: (N,) name of the dialogue of each turn.
        owner: Identifies the training that they are of.

    Raises:
        UserError: the disk is full, or not to be written on.
    """
    document = {
        "owner": owner,
        "split": "dev",
        "labels": list(predictions.labels),
        "dialogues": ids,
        "truth": predictions.truth.tolist(),
        "probabilities": np.round(predictions.probabilities, 6).tolist(),
    }
    write_json(path, document)


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """Write a small file in one step.

    Raises:
        UserError: it cannot be written; the old one stays.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(document) + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise UserError(
            f"{path} could not be written ({error.strerror}): make room there and start the "
            "same command again; it goes on from the last checkpoint"
        ) from error


def read_outcome(folder: Path, seed: int, owner: str) -> Outcome | None:
    """Read what a run left in its folder; None where it is not finished.

    Args:
        folder: Of the run.
        seed: Of the run.
        owner: Identifies what the predictions must be of.

    Raises:
        UserError: the file is damaged, or of another training.
    """
    path = folder / PREDICTIONS
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        wrote = document["owner"]
        names: dict[str, int] = {}
        predictions = Predictions(
            tuple(document["labels"]),
            np.array(document["truth"]),
            np.array(document["probabilities"]),
            np.array([names.setdefault(name, len(names)) for name in document["dialogues"]]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} holds no predictions ({error}): delete it, and the same command makes it again"
        ) from error
    if wrote != owner:
        raise other_training(folder)
    return Outcome(seed, predictions, _costs(folder))


def other_training(folder: Path) -> UserError:
    """For a folder whose content cannot be gone on with."""
    return UserError(
        f"{folder} was made with another recipe, corpus, sample, teacher or encoder: give "
        "another --runs, or delete it to train anew"
    )


def _costs(folder: Path) -> dict[str, StageCost]:
    records = {stage: read_training_record(folder / stage) for stage in STAGES}
    return {stage: cost for stage, record in records.items() if record for cost in record.stages}
