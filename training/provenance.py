"""How weights came about: `training.json`, written by each stage and kept in the bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.loop import Progress
from training.recipe import Recipe

PROVENANCE = "training.json"


def write_provenance(out: Path, recipe: Recipe, seed: int, progress: Progress) -> None:
    """Write recipe, seed, cost and the epochs of one stage."""
    document = {
        "recipe": recipe.name,
        "seed": seed,
        "stages": [progress.cost],
        "epochs": progress.history,
        "chosen": progress.chosen,
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / PROVENANCE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def join_provenance(folders: list[Path]) -> dict[str, Any]:
    """One document of the stages that ran, in their order; what is chosen is the last one's."""
    joined: dict[str, Any] = {}
    for folder in folders:
        if not (folder / PROVENANCE).exists():
            continue
        part = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        for key in ("stages", "epochs"):
            part[key] = [*joined.get(key, []), *part[key]]
        joined = part
    return joined
