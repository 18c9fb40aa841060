"""Write events to a file, one JSON document a line."""

from __future__ import annotations

import contextlib
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.events import EmotionEvent
from engine.sinks.departure import Departure
from stream.errors import UserError


class JsonlSink:
    """Append each event to a file, which is whole after every event.

    Args:
        path: The file; its folder is made where it is missing.
    """

    name = "jsonl"
    takes_partials = False

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aenter__(self) -> Self:
        """Open the file.

        Raises:
            UserError: If it cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(self._path, "ab")
            if _ends_within_a_line(self._path):
                self._file.write(b"\n")
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(
                f"cannot write events to {self._path} ({reason}); choose another file with --jsonl"
            ) from None
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()

    async def publish(self, event: EmotionEvent) -> None:
        """Write the event; when that fails half-way, take the half back, so it can be retried.

        Raises:
            OSError: If the disk is full, for example.
        """
        rest = memoryview(event.dumps().encode() + b"\n")
        written = 0
        try:
            while written < len(rest):
                written += self._file.write(rest[written:]) or 0
        except OSError:
            if written:
                with contextlib.suppress(OSError):  # a pipe cannot take it back
                    self._file.truncate(self._path.stat().st_size - written)
            raise

    async def leave(self, departure: Departure) -> None:
        """Nothing is kept of anybody but their events."""


def _ends_within_a_line(path: Path) -> bool:
    """Whether an earlier run was cut off in the middle of an event."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() != b"\n"
