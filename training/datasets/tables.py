"""Delimited text files as published, with errors that name the file, the row and the layout."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stream.errors import UserError

_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2}(?:[.,]\d{1,3})?)")


@dataclass(frozen=True)
class Row:
    """One row of a table, which knows where it stands."""

    path: Path
    """The file."""
    number: int
    """Line of the file, the header being line 1 (the last line of a row with line breaks in it)."""
    cells: Mapping[str, str]
    """Text of each column, without surrounding blanks."""

    def error(self, problem: str) -> UserError:
        """An error that names this row."""
        return UserError(f"{self.path}, line {self.number}: {problem}")

    def integer(self, column: str) -> int:
        """The whole number in `column`.

        Raises:
            UserError: If it is none.
        """
        try:
            return int(self.cells[column])
        except ValueError:
            raise self.error(
                f"{column} is {self.cells[column]!r}, expected a whole number"
            ) from None

    def choice(self, column: str, allowed: Sequence[str]) -> str:
        """The lower-cased text of `column`.

        Raises:
            UserError: If it is not one of `allowed`.
        """
        value = self.cells[column].lower()
        if value not in allowed:
            raise self.error(
                f"{column} is {self.cells[column]!r}, expected one of {', '.join(allowed)}"
            )
        return value

    def seconds(self, column: str) -> float | None:
        """The time `h:mm:ss,ms` or `hh:mm:ss.ms` of `column` in seconds; None where it is empty.

        Raises:
            UserError: If it is neither.
        """
        text = self.cells[column]
        if not text:
            return None
        match = _TIME.fullmatch(text)
        if match is None:
            raise self.error(f"{column} is {text!r}, expected a time like 00:16:21,731")
        hours, minutes, seconds = match.groups()
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))


def read_table(path: Path, columns: Sequence[str], layout: str) -> Iterator[Row]:
    """Read a csv with a header, a row at a time: that of FER2013 has 300 MB.

    Args:
        path: UTF-8 file; Windows-1252 is accepted where UTF-8 fails.
        columns: The columns the caller reads; others are kept too.
        layout: What the file should be, in words, for the messages.

    Raises:
        UserError: If the file cannot be read, lacks a column or has a row of another width.
    """
    with path.open(encoding=_encoding(path, layout), errors="replace", newline="") as file:
        reader = csv.DictReader(file)
        try:
            names = [name.strip() for name in reader.fieldnames or ()]
            missing = [column for column in columns if column not in names]
            if missing:
                raise UserError(
                    f"{path}: no column {', '.join(missing)}; expected {layout} "
                    f"with the columns {', '.join(columns)}"
                )
            reader.fieldnames = names
            for cells in reader:
                yield _row(path, reader.line_num, cells, len(names))
        except csv.Error as error:
            # The reader counts a line only once it is parsed.
            line = reader.line_num + 1
            raise UserError(f"{path}, line {line}: {error}; expected {layout}") from error


def read_lines(path: Path, layout: str) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their numbers, from 1, without line ends.

    Args:
        path: UTF-8 file; Windows-1252 is accepted where UTF-8 fails.
        layout: What the file should be, in words, for the messages.

    Raises:
        UserError: If the file cannot be read or is no text.
    """
    with path.open(encoding=_encoding(path, layout), errors="replace") as file:
        for number, line in enumerate(file, start=1):
            yield number, line.rstrip("\n")


def _row(path: Path, number: int, cells: Mapping[str | None, object], width: int) -> Row:
    """Check the width of a parsed row: DictReader files surplus cells under None."""
    texts = {key: value for key, value in cells.items() if key and isinstance(value, str)}
    if None in cells or len(texts) != width:
        raise UserError(f"{path}, line {number}: expected {width} columns; check the quoting")
    return Row(path, number, {key: value.strip() for key, value in texts.items()})


def _encoding(path: Path, layout: str) -> str:
    """The encoding of a text file, found by reading it once."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                if b"\0" in block:
                    raise UserError(f"{path}: not a text file; expected {layout}")
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; expected {layout}") from error
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"
