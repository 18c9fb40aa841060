"""Delimited text files."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import UserError
from training.datasets.tables import Row, read_table

LAYOUT = "a table of fruit"


def table(folder: Path, content: str | bytes) -> list[Row]:
    """Read `content` as a csv that should have the columns name and count."""
    path = folder / "fruit.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_table(path, ("name", "count"), LAYOUT))


def cell(text: str) -> Row:
    """A row of one cell in the column `value`."""
    return Row(Path("fruit.csv"), 7, {"value": text})


def test_blanks_and_byte_order_mark(tmp_path: Path) -> None:
    """Blanks around names and cells and a byte order mark are no part of them."""
    (row,) = table(tmp_path, "\ufeffname, count\n plum , 3\n")
    assert row.cells == {"name": "plum", "count": "3"}


def test_rows_know_their_line(tmp_path: Path) -> None:
    """A row with a line break inside counts as two lines."""
    rows = table(tmp_path, 'name,count\n"a\nb",1\nc,2\n')
    assert [row.number for row in rows] == [3, 4]


def test_windows_file(tmp_path: Path) -> None:
    """A file that is not UTF-8 is read as Windows-1252."""
    (row,) = table(tmp_path, b"name,count\ndon\x92t,1\n")
    assert row.cells["name"] == "don\u2019t"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "no column name, count; expected a table of fruit"),
        ("name\nplum\n", "no column count; expected a table of fruit"),
        ("name,count\nplum,1,2\n", r"line 2: expected 2 columns"),
        ("name,count\nplum\n", r"line 2: expected 2 columns"),
        (b"name,count\n\0\n", "not a text file; expected a table of fruit"),
        ("name,count\n" + "x" * 200_000 + ",1\n", "line 2: field larger than field limit"),
    ],
)
def test_malformed_table(tmp_path: Path, content: str | bytes, problem: str) -> None:
    """The message names the file, the line and the layout."""
    with pytest.raises(UserError, match=rf"fruit\.csv.*{problem}"):
        table(tmp_path, content)


def test_missing_file(tmp_path: Path) -> None:
    """A path that is not there is named with what was expected."""
    with pytest.raises(UserError, match=r"nothing\.csv: No such file.*expected a table of fruit"):
        list(read_table(tmp_path / "nothing.csv", ("name",), LAYOUT))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:16:21,731", 981.731),
        ("0:36:59,425", 2219.425),
        ("00:00:03.795", 3.795),
        ("1:00:00", 3600.0),
        ("", None),
    ],
)
def test_times(text: str, seconds: float | None) -> None:
    """Comma or point, one- or two-digit hours; an empty cell is no time."""
    assert cell(text).seconds("value") == (seconds if seconds is None else pytest.approx(seconds))


def test_malformed_cells() -> None:
    """A bad number, time or choice is shown with its line and what was expected."""
    with pytest.raises(UserError, match=r"fruit.csv, line 7: value is '1.5', expected a whole"):
        cell("1.5").integer("value")
    with pytest.raises(UserError, match="line 7: value is 'noon', expected a time"):
        cell("noon").seconds("value")
    with pytest.raises(UserError, match="line 7: value is 'kiwi', expected one of plum, pear"):
        cell("kiwi").choice("value", ("plum", "pear"))
