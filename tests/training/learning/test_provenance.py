"""A bundle says how it came about: both stages, in order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream.errors import UserError
from training.learning.loop import Progress
from training.learning.provenance import (
    PROVENANCE,
    join_provenance,
    require_finished,
    write_provenance,
)
from training.recipe import read_recipe


def progress(stage: str, epochs: list[str]) -> Progress:
    """A finished stage."""
    history = [{"name": name, "loss": 1.0, "dev": 0.5} for name in epochs]
    return Progress(chosen=epochs[-1], history=history, cost={"name": stage, "tokens": 7})


def test_two_stages_are_one_document(tmp_path: Path) -> None:
    """Costs and epochs of both; what was chosen is of the last."""
    recipe = read_recipe("smoke")
    write_provenance(tmp_path / "stage1", recipe, 3, progress("stage1", ["a"]))
    write_provenance(tmp_path / "stage2", recipe, 3, progress("stage2", ["b", "c"]))
    joined = join_provenance([tmp_path / "stage1", tmp_path / "stage2"])
    assert joined["recipe"] == "smoke"
    assert joined["seed"] == 3
    assert [stage["name"] for stage in joined["stages"]] == ["stage1", "stage2"]
    assert [epoch["name"] for epoch in joined["epochs"]] == ["a", "b", "c"]
    assert joined["chosen"] == "c"
    assert json.loads((tmp_path / "stage2" / PROVENANCE).read_text())["chosen"] == "c"


def test_only_a_finished_stage_of_the_same_training_is_gone_on_with(tmp_path: Path) -> None:
    """Interrupted, or trained otherwise: a line that says what to do."""
    folder = tmp_path / "stage1"
    with pytest.raises(UserError, match=r"stage1 is not finished: run python -m training\.stage1"):
        require_finished(folder, "mine")
    write_provenance(folder, read_recipe("smoke"), 1, progress("stage1", ["a"]), "mine")
    require_finished(folder, "mine")
    with pytest.raises(UserError, match=r"stage1 was trained with another recipe, seed or spec"):
        require_finished(folder, "yours")


def test_a_stage_that_was_left_out_is_not_in_it(tmp_path: Path) -> None:
    """Single-stage training has one stage."""
    write_provenance(tmp_path / "stage2", read_recipe("smoke"), 1, progress("stage2", ["b"]))
    joined = join_provenance([tmp_path / "stage1", tmp_path / "stage2"])
    assert [stage["name"] for stage in joined["stages"]] == ["stage2"]
    assert join_provenance([tmp_path / "stage1"]) == {}
