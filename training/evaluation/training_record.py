"""What a bundle says of its own training: `training.json`, if it has one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from engine.model.typed import build
from stream.errors import UserError
from training.learning.cost import StageCost
from training.learning.provenance import PROVENANCE


@dataclass(frozen=True)
class EpochRecord:
    """One pass over the training data."""

    name: str
    """Says the stage and the number."""
    loss: float
    """Mean over its updates."""
    dev: float
    """Figure on dev that chooses the epoch: weighted F1 in stage 2, mean log-likelihood of a
    token of the descriptions in stage 1."""


@dataclass(frozen=True)
class TrainingRecord:
    """How a bundle's weights came about."""

    recipe: str
    """Its name."""
    seed: int
    stages: tuple[StageCost, ...]
    """What each cost."""
    epochs: tuple[EpochRecord, ...]
    """Of all stages, in order."""
    chosen: str
    """Name of the epoch whose weights are in the bundle: the best on dev."""
    encoders: dict[str, Any] = field(default_factory=dict)
    """By encoder, what its own training wrote: its settings and dev figures."""


def read_training_record(bundle: Path) -> TrainingRecord | None:
    """Read a bundle's record; None where it has none or says nothing.

    Raises:
        UserError: The file is not JSON, or has a key or value that no record has.
    """
    path = bundle / PROVENANCE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values == {}:
            return None
        return cast(TrainingRecord, build(TrainingRecord, values, PROVENANCE))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no record of a training ({error}); train again") from error
