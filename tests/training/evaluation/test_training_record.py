"""What a bundle says of its training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stream.errors import UserError
from training.evaluation.training_record import read_training_record

RECORD: dict[str, Any] = {
    "recipe": "compact",
    "seed": 3,
    "stages": [{"name": "stage2", "seconds": 60, "tokens": 10, "padded_tokens": 12, "flops": 1e12}],
    "epochs": [{"name": "stage 2, words 1/1", "loss": 1.5, "dev": 0.4}],
    "chosen": "stage 2, words 1/1",
}


def written(folder: Path, record: object) -> Path:
    """A folder with a record."""
    (folder / "training.json").write_text(json.dumps(record))
    return folder


def test_a_record_is_read(tmp_path: Path) -> None:
    """Typed, with the defaults of what an older version did not write."""
    record = read_training_record(written(tmp_path, RECORD))
    assert record is not None
    assert (record.recipe, record.seed, record.chosen) == ("compact", 3, "stage 2, words 1/1")
    assert (record.stages[0].seconds, record.stages[0].updates) == (60.0, 0)
    assert record.epochs[0].dev == 0.4


def test_a_bundle_of_a_real_training_has_one(tiny_bundle: Path) -> None:
    """What training writes is what evaluation reads."""
    record = read_training_record(tiny_bundle)
    assert record is not None
    assert record.stages[-1].tokens > 0
    assert record.chosen in [epoch.name for epoch in record.epochs]


def test_no_record_is_none(tmp_path: Path) -> None:
    """No file, or one that says nothing."""
    assert read_training_record(tmp_path) is None
    assert read_training_record(written(tmp_path, {})) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": "one"}, "seed"),
        ({"mood": 1}, "mood"),
        ({"stages": [{"name": "stage2", "seconds": -1}]}, "seconds"),
        ({"epochs": [{"name": "1", "loss": 1.0}]}, "dev"),
    ],
)
def test_a_record_that_is_none_names_the_file(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    """The file, and what is wrong in it."""
    with pytest.raises(UserError, match=rf"training\.json is no record.*{message}"):
        read_training_record(written(tmp_path, RECORD | change))


def test_a_record_that_is_no_json_names_the_file(tmp_path: Path) -> None:
    """Half a file, as a full disk leaves it."""
    (tmp_path / "training.json").write_text('{"recipe": "comp')
    with pytest.raises(UserError, match=r"training\.json is no record"):
        read_training_record(tmp_path)
