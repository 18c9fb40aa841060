"""Lines of libraries that are left out."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from engine.chatter import without_lines
from export.models import resolve


def printed(code: str) -> str:
    """What a process of its own writes to standard error."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stderr


def test_only_the_lines_that_are_named_are_left_out() -> None:
    """Also those that a library in C writes to the descriptor itself."""
    assert (
        printed(
            "import os, sys\n"
            "from engine.chatter import without_lines\n"
            "with without_lines(['delegate']):\n"
            "    os.write(2, b'INFO: Created a delegate.\\nWARNING: something else\\n')\n"
            "    print('and this', file=sys.stderr)\n"
            "print('afterwards', file=sys.stderr)\n"
        )
        == "WARNING: something else\nand this\nafterwards\n"
    )


def test_a_failure_comes_through() -> None:
    """With standard error as it was."""
    with pytest.raises(ValueError, match="wrong"), without_lines(["x"]):
        raise ValueError("wrong")
    assert os.fstat(2)


def test_loading_a_network_prints_nothing() -> None:
    """As a process, where LiteRT says once which delegate it has created."""
    code = "import sys; from pathlib import Path; from engine.faces import FaceDetector; "
    code += "FaceDetector(Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(resolve("blazeface"))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
