"""Write events to a file, one JSON document a line."""

from __future__ import annotations

import errno
import os
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.events import EmotionEvent
from engine.sinks.departure import Departure
from engine.sinks.gone import SinkGoneError
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
        self._begun = b""
        """What a slow reader of a pipe has not taken yet of an event."""

    async def __aenter__(self) -> Self:
        """Open the file.

        Raises:
            UserError: If it cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _open(self._path)
            if _ends_within_a_line(self._path):
                self._file.write(b"\n")
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno == errno.ENXIO and self._path.is_fifo():
                reason = "nobody reads this pipe yet: start its reader first"
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
            SinkGoneError: It is a pipe, and its reader has gone.
            OSError: If the disk is full, for example, or the reader of a pipe too slow.
        """
        rest = memoryview(self._begun or event.dumps().encode() + b"\n")
        written = 0
        try:
            while written < len(rest):
                count = self._file.write(rest[written:])
                if not count:
                    raise BlockingIOError(errno.EAGAIN, "whoever reads it is too slow")
                written += count
        except OSError as error:
            self._take_back(bytes(rest[written:]), written)
            raise SinkGoneError.of(error) or error from error
        self._begun = b""

    def _take_back(self, rest: bytes, written: int) -> None:
        """Half an event is in the file: cut it off, or go on with it where it is a pipe."""
        if not written:
            return
        try:
            self._file.truncate(self._path.stat().st_size - written)
        except OSError:
            self._begun = rest

    async def leave(self, departure: Departure) -> None:
        """Nothing is kept of anybody but their events."""


def _open(path: Path) -> FileIO:
    """Open a file to append to; a pipe without a reader, which would be waited for, is an error."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    return FileIO(os.open(path, flags, 0o666), "ab")


def _ends_within_a_line(path: Path) -> bool:
    """Whether an earlier run was cut off in the middle of an event."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() != b"\n"
