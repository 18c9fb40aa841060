"""That a sink has come to its end, which is no fault of the run."""

from __future__ import annotations

import errno

_NO_READER = (errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO)


class SinkGoneError(Exception):
    """Whoever read the sink has gone, and cannot come back: a pipe or a terminal was closed."""

    @classmethod
    def of(cls, error: OSError) -> SinkGoneError | None:
        """The error, if that is what a failed write means; None if another try may succeed."""
        return cls("nobody reads it any more") if error.errno in _NO_READER else None
