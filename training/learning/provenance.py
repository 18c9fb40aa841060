"""How weights came about: `training.json`, written by each stage and kept in the bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stream.errors import UserError
from training.learning.loop import Progress
from training.recipe import Recipe

PROVENANCE = "training.json"
FINISHED = "finished.json"
"""Written last, in the folder of a stage: whose weights are in it."""


def write_provenance(
    out: Path, recipe: Recipe, seed: int, progress: Progress, owner: str = ""
) -> None:
    """Write recipe, seed, cost and the epochs of one stage, which is what says it is finished.

    Args:
        out: Folder of the stage.
        recipe: Of the training.
        seed: Of the training.
        progress: At its end.
        owner: Of its checkpoints, see `training.learning.learner.owner`.
    """
    document = {
        "recipe": recipe.name,
        "seed": seed,
        "stages": [progress.cost],
        "epochs": progress.history,
        "chosen": progress.chosen,
    }
    out.mkdir(parents=True, exist_ok=True)
    _write(out / PROVENANCE, document)
    write_finished(out, owner)


def write_finished(out: Path, owner: str) -> None:
    """Say that a folder has all of one training."""
    _write(out / FINISHED, {"owner": owner})


def require_finished(folder: Path, owner: str) -> None:
    """Refuse weights of a stage that was interrupted, or trained otherwise.

    Raises:
        UserError: The folder of a stage says so, or says nothing.
    """
    path = folder / FINISHED
    if not path.exists():
        raise UserError(
            f"{folder} is not finished: run python -m training.{folder.name} with the same "
            "recipe; it goes on where it was"
        )
    if not is_finished(folder, owner):
        raise UserError(
            f"{folder} was trained with another recipe, seed or spec: give that one, or another "
            "--runs, or delete the folder to train it again"
        )


def is_finished(folder: Path, owner: str) -> bool:
    """Whether a folder has all of just this training."""
    path = folder / FINISHED
    return path.exists() and bool(
        json.loads(path.read_text(encoding="utf-8")).get("owner") == owner
    )


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


def write_joined(out: Path, folders: list[Path]) -> None:
    """Write the record of a folder that is made of others'."""
    _write(out / PROVENANCE, join_provenance(folders))


def _write(path: Path, document: dict[str, Any]) -> None:
    """In one step, so that a kill leaves no half of it."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
