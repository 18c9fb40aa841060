"""Media through a pipe."""

from __future__ import annotations

import os
import select
import stat
import threading

from stream.errors import UserError

STDIN = 0
"""Number of standard input."""

_POLL_SECONDS = 0.2


def is_regular(descriptor: int) -> bool:
    """Whether an open file is one on a disk, and no pipe, terminal or socket.

    Raises:
        UserError: It is not open.
    """
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:
        raise UserError("standard input is closed; pipe media into it, or name a file") from None


class Pipe:
    """What comes through a pipe, for FFmpeg to read; it cannot be read twice.

    Whoever writes may pause for long, so waiting ends when that is asked for.

    Args:
        descriptor: Number of the open file.

    Raises:
        UserError: It is a terminal.
    """

    def __init__(self, descriptor: int) -> None:
        if os.isatty(descriptor):
            raise UserError(
                "standard input is a terminal; pipe media into it, as in "
                "`ffmpeg -i URL -f matroska - | python run_live.py --file -`, or name a file"
            )
        self._descriptor = descriptor
        self._stopped = threading.Event()

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end, or when it was stopped."""
        while not self._stopped.is_set():
            readable, _, _ = select.select([self._descriptor], [], [], _POLL_SECONDS)
            if readable:
                return os.read(self._descriptor, size)
        return b""

    def stop(self) -> None:
        """Let this be the end; from any thread."""
        self._stopped.set()
