"""Results of long trainings that travel with the code: sealed folders in `bundles/`.

They are no whole bundles, just LoRA or a teacher's targets, with the record of the training. A
recipe that asks for exactly the same training (`training.learning.learner.owner`) takes them from
there.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from engine.model.manifest import verify_bundle
from engine.model.spec import ModelSpec
from export.bundle import SPEC, building
from training.learning.learner import LORA, owner
from training.learning.provenance import FINISHED, PROVENANCE, is_finished
from training.script import Job

SHIPPED = Path(__file__).parents[2] / "bundles"


def find_shipped(owner_of_it: str) -> Path | None:
    """The folder with all of just this training, if there is one.

    Raises:
        UserError: It is not as its manifest says.
    """
    for path in sorted(SHIPPED.glob(f"*/{FINISHED}")):
        if is_finished(path.parent, owner_of_it):
            verify_bundle(path.parent)
            return path.parent
    return None


def kept_folder(job: Job, name: str) -> Path:
    """Where a training of words is kept that recipes and seeds share, by what it was made with."""
    return job.cache / f"{name}-{kept_owner(job, name)[:12]}"


def find_kept(job: Job, name: str) -> Path | None:
    """The folder of such a training, made here or shipped; None where it was not done yet.

    Args:
        job: With what recipes and seeds differ in taken out.
        name: Of the training.

    Raises:
        UserError: The shipped folder is the one, and is not as its manifest says.
    """
    if is_finished(out := kept_folder(job, name), kept_owner(job, name)):
        return out
    return find_shipped(kept_owner(job, name))


def kept_owner(job: Job, name: str) -> str:
    """Identifies such a training."""
    return owner(job.recipe, name, job.seed, words_alone=True)


def publish(source: Path, spec: ModelSpec, out: Path, weights: str = LORA) -> None:
    """Write a sealed folder of what a finished training in `source` learned."""
    if out.exists() and out.samefile(source):
        return  # shipped before
    with building(out) as folder:
        for name in (weights, PROVENANCE, FINISHED):
            shutil.copyfile(source / name, folder / name)
        text = json.dumps(spec.to_dict(), indent=2) + "\n"
        (folder / SPEC).write_text(text, encoding="utf-8")
