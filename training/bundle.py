"""Put what the trainings wrote into a bundle, and calibrate it on dev data.

python -m training.bundle compact --data FOLDER --out bundles/mine
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.model.calibration import Calibration
from stream.errors import UserError
from training.calibrate import calibrate, figures_table, write_calibration
from training.learner import owner
from training.progress import console
from training.provenance import PROVENANCE, join_provenance, require_finished
from training.refit import refit, refit_table
from training.script import Job, run_script, script_parser
from training.stage2 import stage1_result

WEIGHTS = {
    "face.safetensors": "face/face.safetensors",
    "speech.safetensors": "speech/speech.safetensors",
    "fusion.safetensors": "stage2/fusion.safetensors",
    "lora.safetensors": "stage2/lora.safetensors",
}
"""Files of a bundle and where the trainings leave them below the runs folder."""


def assemble(job: Job, out: Path) -> None:
    """Write a bundle without calibration; a model card that is there stays.

    What another recipe left in the runs folder is passed over: encoders that stage 2 trained,
    where this recipe keeps them frozen, and the record of a stage 1 that it does not have.

    Raises:
        UserError: a step before was not run to its end, or with another recipe.
    """
    start = stage1_result(job)
    require_finished(job.runs / "stage2", owner(job.recipe, "stage2", job.seed, start))
    out.mkdir(parents=True, exist_ok=True)
    spec = json.dumps(job.spec.to_dict(), indent=2) + "\n"
    (out / "spec.json").write_text(spec, encoding="utf-8")
    trained = job.recipe.settings.stage2.encoder_learning_rate > 0
    for name, source in WEIGHTS.items():
        encoder = not source.startswith("stage2/")
        path = job.runs / ("stage2" if encoder and trained else "") / source
        if not path.exists():
            raise UserError(f"{path} is missing: run python -m training.run first")
        shutil.copyfile(path, out / name)
    stages = ["stage1", "stage2"] if job.recipe.has_stage1 else ["stage2"]
    if provenance := join_provenance([job.runs / stage for stage in stages]):
        text = json.dumps(provenance, indent=2) + "\n"
        (out / PROVENANCE).write_text(text, encoding="utf-8")
    write_calibration(Calibration(), out)


def build(job: Job, out: Path) -> None:
    """Assemble, refit the weights of the evidence where turns are composed, and calibrate."""
    assemble(job, out)
    if job.spec.evidence and job.recipe.settings.stage2.composed_epochs:
        console.print(refit_table(refit(job, out)))
    console.print(figures_table(calibrate(job, out)))
    console.print(f"bundle in {out}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and build."""
    parser = script_parser("training.bundle", __doc__, needs="what the recipe was trained on")
    parser.add_argument("--out", type=Path, default=Path("bundles/mine"), help="of the bundle")
    return run_script(parser, arguments, lambda job: build(job, job.options.out))


if __name__ == "__main__":
    sys.exit(main())
