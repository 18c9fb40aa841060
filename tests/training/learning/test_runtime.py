"""One process is the whole of a training; what a launcher adds is in `test_distributed`."""

from __future__ import annotations

import importlib.util
from datetime import timedelta
from pathlib import Path

import pytest

from stream.errors import UserError
from training.learning.runtime import PATIENCE, Runtime
from training.settings import Stage1Training, TrainerSettings


def test_one_process_has_all_the_work(tmp_path: Path) -> None:
    """Sums, gathered values and shares are those of this process."""
    runtime = Runtime(TrainerSettings(), tmp_path / "stage1")
    assert (runtime.process, runtime.processes, runtime.is_main) == (0, 1, True)
    assert runtime.total(2.5) == 2.5
    assert runtime.gather([1, "two"]) == [1, "two"]
    assert list(runtime.share([3, 4, 5])) == [3, 4, 5]
    runtime.wait()


def test_a_process_waits_for_hours(tmp_path: Path) -> None:
    """One may have many more clips to encode than another: that must not end the training."""
    runtime = Runtime(TrainerSettings(), tmp_path / "stage1")
    handler = runtime.accelerator.init_handler
    assert handler is not None
    assert handler.timeout == PATIENCE > timedelta(hours=1)


def test_tensorboard_is_always_written(tmp_path: Path) -> None:
    """Losses and settings, beside the folders of the stages."""
    runtime = Runtime(TrainerSettings(), tmp_path / "stage1")
    runtime.start_trackers("stage1", Stage1Training())
    runtime.log({"stage1/loss": 1.5}, step=3)
    runtime.close()
    events = list((tmp_path / "logs" / "stage1").rglob("events.out.tfevents.*"))
    assert any(b"stage1/loss" in path.read_bytes() for path in events)
    assert not (tmp_path / "stage1").exists()


@pytest.mark.skipif(importlib.util.find_spec("wandb") is not None, reason="wandb is installed")
def test_a_missing_tracker_is_one_line(tmp_path: Path) -> None:
    """It says what to install."""
    with pytest.raises(UserError, match=r"wandb is missing: pip install"):
        Runtime(TrainerSettings(wandb=True), tmp_path)
