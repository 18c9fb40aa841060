"""Keeps a process that runs for hours from growing.

Several threads take and free large blocks all the time: pictures, sound, what networks compute.
glibc gives each thread an arena of its own, up to eight a core, and what one thread has freed
cannot be used by another: memory grew by a tenth within minutes, though nothing was kept
(`python -m benchmarks.live --soak 3600`). Two arenas are enough for the threads that do the work.

An arena gives back what is free at its end alone. A small block that is taken while much else is
in use keeps all of that for as long as it lives: memory went up by 80 MB for a minute or two.
So it is asked for what is free now and then.
"""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8
"""From glibc's malloc.h."""
ARENAS = 2


GIVE_BACK_SECONDS = 10.0
"""How often memory that is free is worth giving back."""


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


def give_back() -> bool:
    """Give memory that is free back to the system, wherever it lies; takes about 2 ms.

    Returns:
        Whether there was any, and the C library can.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return False
    return bool(trim(0))
