"""Put what the trainings wrote into a bundle, and calibrate it on dev data.

python -m training.bundle compact --data FOLDER --out bundles/mine
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from engine.arguments import run_command
from export.bundle import building
from stream.errors import UserError
from training import distil, pretune
from training.calibrate import figures_table, load, measure, write_calibration
from training.evidence_weights import set_evidence_weights, write_evidence_weights
from training.learning import members
from training.learning.learner import owner
from training.learning.provenance import PROVENANCE, join_provenance, require_finished
from training.progress import console
from training.prosody import WEIGHTS as PROSODY
from training.prosody import prosody_weights
from training.prosody_evidence import gain_of
from training.refit import refit, refit_table
from training.script import Job, run_script, script_parser
from training.stage2 import start_of

WEIGHTS = {
    "face.safetensors": "face/face.safetensors",
    "speech.safetensors": "speech/speech.safetensors",
    "fusion.safetensors": "stage2/fusion.safetensors",
    "lora.safetensors": "stage2/lora.safetensors",
}
"""Files of a bundle and where the trainings leave them below the runs folder."""
ENCODER_RECORDS = {"face": "face/face.json", "speech": "speech/speech.json"}
"""What the encoders' own trainings wrote beside their weights; none of fetched weights."""


def assemble(job: Job, out: Path) -> None:
    """Write the files of a bundle without calibration and manifest.

    What another recipe left in the runs folder is passed over: encoders that stage 2 trained,
    where this recipe keeps them frozen, and the record of a stage 1 that it does not have.

    Raises:
        UserError: a step before was not run to its end, or with another recipe.
    """
    start = start_of(job)
    require_finished(job.runs / "stage2", owner(job.recipe, "stage2", job.seed, start))
    out.mkdir(parents=True, exist_ok=True)
    spec = json.dumps(job.spec.to_dict(), indent=2) + "\n"
    (out / "spec.json").write_text(spec, encoding="utf-8")
    trained = job.recipe.settings.stage2.encoder_learning_rate > 0
    for name, source in WEIGHTS.items():
        encoder = not source.startswith("stage2/")
        _copy(job.runs / ("stage2" if encoder and trained else "") / source, out / name)
    if job.spec.prosody:
        _copy(prosody_weights(job.runs), out / PROSODY)
    if provenance := join_provenance(provenance_folders(job)):
        provenance["encoders"] = {
            name: json.loads(path.read_text(encoding="utf-8"))
            for name, path in ((n, job.runs / p) for n, p in ENCODER_RECORDS.items())
            if path.exists()
        }
        text = json.dumps(provenance, indent=2) + "\n"
        (out / PROVENANCE).write_text(text, encoding="utf-8")


def provenance_folders(job: Job) -> list[Path]:
    """Where the trainings that a bundle of the job consists of wrote their records."""
    stage2 = job.recipe.settings.stage2
    names = {
        "stage1": job.recipe.has_stage1,
        members.FOLDER: stage2.members > 0,
        "stage2": True,
    }
    own = [job.runs / name for name, ran in names.items() if ran]
    settings = job.recipe.settings
    before = [
        pretune.find(job) if settings.pretune.epochs else None,
        distil.find(job) if settings.distils else None,
    ]
    return [*(folder for folder in before if folder is not None), *own]


def _copy(source: Path, target: Path) -> None:
    if not source.exists():
        raise UserError(f"{source} is missing: run python -m training.run first")
    shutil.copyfile(source, target)


def build(job: Job, out: Path) -> None:
    """Assemble, fit the weights of the evidence on dev, calibrate, and seal.

    Until all is done the bundle has no manifest and another name, so that a kill leaves what was
    in `out`, and nobody takes what is half done for a bundle.
    """
    with building(out) as folder:
        assemble(job, folder)
        recognizer = load(folder, sealed=False)
        if (encoder := recognizer.encoders.prosody) is not None:
            weight = torch.full((len(job.spec.labels),), gain_of(job, recognizer, encoder).weight)
            set_evidence_weights(recognizer, {"prosody": weight})
        if job.spec.evidence and job.recipe.settings.stage2.composed_epochs:
            console.print(refit_table(refit(job, recognizer)))
        write_evidence_weights(recognizer, folder)
        calibration, figures = measure(job, recognizer)
        write_calibration(calibration, folder, figures)
    console.print(figures_table(figures))
    console.print(f"bundle in {out}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and build."""
    parser = script_parser("training.bundle", __doc__, needs="what the recipe was trained on")
    parser.add_argument("--out", type=Path, default=Path("bundles/mine"), help="of the bundle")
    return run_script(parser, arguments, lambda job: build(job, job.options.out))


if __name__ == "__main__":
    run_command(main)
