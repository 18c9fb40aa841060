"""Which errors are the media's fault.

What a decoder or a converter of FFmpeg cannot make sense of is damage: it is skipped and
counted. Any other error is a fault of ours, and must show.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av.error


class DamagedError(Exception):
    """Some media could not be decoded or converted."""


@contextmanager
def decoding() -> Iterator[None]:
    """Around a call of FFmpeg alone: what it raises for bad data becomes a DamagedError.

    PyAV raises ValueError, too, where a frame is not what its decoder said it would be.
    """
    try:
        yield
    except (av.error.FFmpegError, ValueError, MemoryError) as error:
        raise DamagedError(str(error)) from error
