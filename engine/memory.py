"""Keeps a process that runs for hours from growing.

Several threads take and free large blocks all the time: pictures, sound, what networks compute.
glibc gives each thread an arena of its own, up to eight a core, and what one thread has freed
cannot be used by another: memory grew by a tenth within minutes, though nothing was kept
(`python -m benchmarks.live --soak 3600`). Two arenas are enough for the threads that do the work.
"""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8
"""From glibc's malloc.h."""
ARENAS = 2


def share_arenas() -> bool:
    """Let the threads of this process share their free memory; call it before there are any.

    Returns:
        Whether the C library can: glibc does, others need it less.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return False
    return bool(mallopt(_M_ARENA_MAX, ARENAS))
