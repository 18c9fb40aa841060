"""Lines that libraries written in C print by themselves, and that tell nobody anything."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_STDERR = 2
_one_at_a_time = threading.Lock()


@contextmanager
def without_lines(parts: Sequence[str]) -> Iterator[None]:
    """Leave lines that hold one of these out of standard error, whoever writes them meanwhile.

    Everything else that is written there comes out at the end of it, so it is for short work.
    """
    with _one_at_a_time, tempfile.TemporaryFile() as caught:
        _flush()
        try:
            before = os.dup(_STDERR)
        except OSError:  # it is closed: nothing can be printed there
            yield
            return
        os.dup2(caught.fileno(), _STDERR)
        try:
            yield
        finally:
            _flush()
            os.dup2(before, _STDERR)
            os.close(before)
            caught.seek(0)
            for line in caught:
                if not any(part.encode() in line for part in parts):
                    os.write(_STDERR, line)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
