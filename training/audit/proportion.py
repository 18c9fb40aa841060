"""A share and how sure it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

Z_95 = 1.959963984540054
"""97.5 % quantile of the normal distribution: two-sided 95 %."""


@dataclass(frozen=True)
class Proportion:
    """So many of so many."""

    count: int
    """Those that have the property."""
    n: int
    """All of them."""

    def __post_init__(self) -> None:
        """Refuse more than all and less than none."""
        if not 0 <= self.count <= self.n:
            raise ValueError(f"{self.count} of {self.n} is no share")

    @classmethod
    def of(cls, properties: Iterable[bool]) -> Proportion:
        """How many of some are true."""
        values = list(properties)
        return cls(sum(values), len(values))

    @property
    def share(self) -> float | None:
        """From 0 to 1; None of nothing."""
        return self.count / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval after Wilson (1927), which holds for few and for shares near 0 and 1."""
        if not self.n:
            return None
        share, square = self.count / self.n, Z_95**2
        middle = share + square / (2 * self.n)
        spread = Z_95 * sqrt(share * (1 - share) / self.n + square / (4 * self.n**2))
        scale = 1 + square / self.n
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)

    def to_dict(self) -> dict[str, object]:
        """For a program: `count`, `n`, `share` and the two ends of the interval."""
        low, high = self.interval or (None, None)
        return {"count": self.count, "n": self.n, "share": self.share, "low": low, "high": high}
