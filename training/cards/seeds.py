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

FIGURES = HEADLINES | {
    "ferplus_accuracy": "accuracy against FERPlus's majority of 7",
    "ferplus_agreed_accuracy": "accuracy by FERPlus's own rule",
}
"""Key in the JSON object, and wording; the last ones are of faces alone."""


@dataclass(frozen=True)
class SeedFigures:
    """One evaluation of several bundles that differ in their seed."""

    command: str
    """That prints the figures."""
    n: int
    """Turns."""
    mean: Mapping[str, float]
    """By key of `FIGURES`, as the others are."""
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
        keys = [key for key in FIGURES if key in HEADLINES or key in document]
        deviation = document["deviation"]
        return SeedFigures(
            str(document["about"]["command"]),
            int(document["n"]),
            _figures(document, keys),
            None if deviation is None else _figures(deviation, keys),
            tuple(_figures(run, keys) for run in document["runs"]),
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
    for key in found.mean:
        spread = "" if found.deviation is None else percent(found.deviation[key])
        each = [percent(one[key]) for one in found.each]
        rows.append((FIGURES[key], percent(found.mean[key]), spread, *each))
    return rows


def _figures(values: Mapping[str, Any], keys: Sequence[str]) -> dict[str, float]:
    return {key: float(values[key]) for key in keys}
