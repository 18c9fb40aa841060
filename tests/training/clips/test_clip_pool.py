"""Work over processes goes on when a task kills its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stream.errors import UserError
from training.clips.pool import map_isolated


def square(number: int) -> int:
    """A task; -1 kills its process like a crashing codec, -2 finds a full disk."""
    if number == -1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if number == -2:
        raise UserError("the disk is full")
    return number * number


def test_one_crash_costs_one_task() -> None:
    """Two tasks kill their process; every other one has its result, and once only."""
    results = list(map_isolated(square, [1, 2, -1, 3, 4, -1, 5], 2))
    assert sorted(results, key=str) == sorted(
        [(1, 1), (2, 4), (-1, None), (3, 9), (4, 16), (-1, None), (5, 25)], key=str
    )


def test_an_error_of_the_work_is_raised() -> None:
    """It is no crash: the caller has to know."""
    with pytest.raises(UserError, match="disk is full"):
        list(map_isolated(square, [1, -2, 3], 1))


def test_no_tasks_need_no_process() -> None:
    """Nothing to do is done at once."""
    assert list(map_isolated(square, [], 4)) == []


PARENT = """
import os, sys, time
from training.clips.pool import map_isolated
def nap(path):
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(60)
if __name__ == "__main__":
    list(map_isolated(nap, [sys.argv[1] + "-pid"], 1))
"""

NO_GUARD = """
from training.clips.pool import map_isolated
print(list(map_isolated(abs, [1], 1)))
"""


def test_no_process_outlives_its_parent(tmp_path: Path) -> None:
    """A parent that is killed cannot clean up, so its processes end by themselves."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    noted = tmp_path / "work-pid"
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    parent = subprocess.Popen([sys.executable, script, tmp_path / "work"], env=environment)
    try:
        _until(lambda: noted.exists() and noted.read_text() != "")
    finally:
        parent.kill()
        parent.wait()
    child = Path(f"/proc/{noted.read_text()}/stat")
    _until(lambda: not child.exists() or child.read_text().split()[2] == "Z")


def test_a_program_without_a_guard_is_told(tmp_path: Path) -> None:
    """Processes that cannot start are no fault of a task, and do not loop for ever."""
    script = tmp_path / "script.py"
    script.write_text(NO_GUARD)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "processes end as soon as they start" in done.stderr


def _until(condition: object, seconds: float = 30.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.05)
