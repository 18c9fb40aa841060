"""Tables keep what they say, whatever the width."""

from __future__ import annotations

import io

import pytest
from rich.table import Table

from training.progress import Results

COLUMNS = ("text", "audio", "video", "text+audio", "text+video", "audio+video", "text+audio+video")


def table() -> Table:
    """One that is wider than 80 columns."""
    made = Table(title="calibration error by what was there")
    made.add_column("")
    for name in COLUMNS:
        made.add_column(name, justify="right", no_wrap=True)
    made.add_row("text+audio+video", *("12.34 %" for _ in COLUMNS))
    return made


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_nothing_is_cut(terminal: bool, width: int) -> None:
    """In a pipe, and on a terminal of 80 columns."""
    out = io.StringIO()
    Results(file=out, force_terminal=terminal, width=width, color_system=None).print(table())
    text = out.getvalue()
    assert "…" not in text
    for name in COLUMNS:
        assert name in text
    assert text.count("12.34 %") == len(COLUMNS)
