"""Figures of an ablation as a person reads them."""

from __future__ import annotations


def points(share: float) -> str:
    """A difference of fractions in percentage points, with its sign."""
    # Adding 0 turns -0.0, a difference that rounds away, into 0.0.
    return f"{round(100 * share, 1) + 0:+.1f}"


def operations(flops: float) -> str:
    """Floating-point operations in three digits, before the unit: `14.3 G` for `FLOP`."""
    for prefix, size in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if flops >= size:
            return f"{flops / size:.3g} {prefix}"
    return f"{flops:.3g} "


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever is readable."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
