"""Figures of several seeds for a model card, from what `training.evaluate --json` printed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream.errors import UserError
from training.cards.markdown import percent
from training.evaluation.report import HEADLINES


@dataclass(frozen=True)
class SeedFigures:
    """One evaluation of several bundles that differ in their seed."""

    command: str
    """That prints the figures."""
    n: int
    """Turns."""
    mean: Mapping[str, float]
    """By key of `HEADLINES`, as the others are."""
    deviation: Mapping[str, float] | None
    """Sample standard deviation; None of one bundle."""
    each: tuple[Mapping[str, float], ...]
    """Of every bundle."""
    shared: tuple[str, ...] = ()
    """Weights that all of them have in common."""


def read_seeds(path: Path) -> SeedFigures:
    """Read one file.

    Raises:
        UserError: It is not what `training.evaluate --json` prints.
    """
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        deviation = document["deviation"]
        return SeedFigures(
            str(document["about"]["command"]),
            int(document["n"]),
            _headlines(document),
            None if deviation is None else _headlines(deviation),
            tuple(_headlines(run) for run in document["runs"]),
            tuple(map(str, document["about"]["shared"])),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"--seeds-from {path}: {error!r}; give what python -m training.evaluate "
            "SEED1 SEED2 SEED3 ... --json printed"
        ) from error


def seed_rows(found: SeedFigures) -> list[Sequence[str]]:
    """A row of each figure: mean, deviation, and every seed, in percent."""
    rows: list[Sequence[str]] = []
    for key, wording in HEADLINES.items():
        spread = "" if found.deviation is None else percent(found.deviation[key])
        each = [percent(one[key]) for one in found.each]
        rows.append((wording, percent(found.mean[key]), spread, *each))
    return rows


def _headlines(values: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(values[key]) for key in HEADLINES}
