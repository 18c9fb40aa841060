"""Predictions are read back as they were written, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stream.errors import UserError
from tests.training.ablation.factory import outcome
from training.ablation.outcome import PREDICTIONS, read_outcome, write_json, write_predictions

OWNER = "0" * 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that is finished."""
    predictions = outcome(0.5).predictions
    ids = [f"dialogue {place}" for place in predictions.dialogues]
    write_predictions(tmp_path / PREDICTIONS, predictions, ids, OWNER)
    return tmp_path


def test_the_scores_survive(folder: Path) -> None:
    """The same figures, for the same dialogues; no cost where no training left a record."""
    read = read_outcome(folder, 1, OWNER)
    assert read is not None
    written = outcome(0.5).predictions
    assert read.predictions.scores().weighted_f1 == written.scores().weighted_f1
    assert np.array_equal(read.predictions.confusions(), written.confusions())
    assert read.costs == {}
    assert list(folder.iterdir()) == [folder / PREDICTIONS]


def test_costs_are_those_of_the_stages(folder: Path) -> None:
    """Of whichever of the two was trained."""
    cost = outcome(0.5).costs["stage2"].to_dict()
    record = {"recipe": "x", "seed": 1, "stages": [cost], "epochs": [], "chosen": ""}
    (folder / "stage2").mkdir()
    write_json(folder / "stage2" / "training.json", record)
    read = read_outcome(folder, 1, OWNER)
    assert read is not None
    assert {name: one.tokens for name, one in read.costs.items()} == {"stage2": 1000}


def test_no_file_is_no_outcome(tmp_path: Path) -> None:
    """A run that is not finished is not a mistake."""
    assert read_outcome(tmp_path, 1, OWNER) is None


def test_another_training_is_refused(folder: Path) -> None:
    """Figures of another recipe do not slip into a table."""
    with pytest.raises(UserError, match=r"made with another recipe.*another --runs"):
        read_outcome(folder, 1, "1" * 64)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"owner": "x"}',
        "null",
        json.dumps(
            {"owner": OWNER, "labels": ["a", "b"], "dialogues": ["1"], "truth": [5],
             "probabilities": [[0.5, 0.5]]}
        ),
        json.dumps(
            {"owner": OWNER, "labels": ["a", "b"], "dialogues": ["1", "2"], "truth": [0],
             "probabilities": [[0.5, 0.5]]}
        ),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named(folder: Path, content: str) -> None:
    """And what to do about it."""
    (folder / PREDICTIONS).write_text(content)
    with pytest.raises(UserError, match=r"predictions\.json holds no predictions .*delete it"):
        read_outcome(folder, 1, OWNER)


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """One line says which."""
    (tmp_path / "taken").write_text("old")
    with pytest.raises(UserError, match=r"taken/x\.json could not be written"):
        write_json(tmp_path / "taken" / "x.json", {})
    assert (tmp_path / "taken").read_text() == "old"
