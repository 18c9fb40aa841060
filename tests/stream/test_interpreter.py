"""What the Python that runs this must be like."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream.interpreter import require_docstrings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", [["run_live.py", "devices"], ["-m", "export.models", "--list"]])
def test_a_python_without_docstrings_is_refused_in_one_line(command: list[str]) -> None:
    """Before anything is loaded; a traceback of transformers would tell nobody what to do."""
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PYTHONOPTIMIZE": "2"},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "unset PYTHONOPTIMIZE" in done.stderr


def test_a_python_without_assertions_will_do() -> None:
    """Nothing that a user brings is checked by an assertion."""
    require_docstrings(1)
