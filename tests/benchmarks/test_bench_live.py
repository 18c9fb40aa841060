"""What the benchmark of the live engine counts."""

from __future__ import annotations

from benchmarks.live import Figures, dropped, percentiles
from engine.vitals import Vitals


def test_percentiles() -> None:
    """Of a hundred values the 95th is the 95th."""
    found = percentiles(list(range(101)))
    assert found == {"p50": 50, "p95": 95, "p99": 99}


def test_drops_are_read_from_the_metrics() -> None:
    """By what it was; what never happened is left out."""
    vitals = Vitals()
    vitals.drop("frames", 3)
    assert dropped(vitals) == {"frames": 3}
    assert Figures("nothing").dropped == {}
