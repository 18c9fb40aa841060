"""Put what the trainings wrote into a bundle, and calibrate it on dev data.

python -m training.bundle compact --data FOLDER --out bundles/mine
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from engine.model.calibration import Calibration, fit_temperature
from engine.model.recognizer import Recognizer
from export.bundle import write_manifest
from export.models import resolve
from stream.errors import UserError
from training import examples
from training.compact_corpora import CompactCorpora
from training.datasets.speech import find_speech
from training.device import scoring_device
from training.examples import Examples
from training.learner import owner
from training.predict import label_scores, remove
from training.preprocess import encode_dialogues
from training.progress import console
from training.provenance import PROVENANCE, join_provenance, require_finished
from training.script import Job, run_script, script_parser
from training.sequences import label_targets, text_sequence
from training.stage2 import stage1_result

WEIGHTS = {
    "face.safetensors": "face/face.safetensors",
    "speech.safetensors": "speech/speech.safetensors",
    "fusion.safetensors": "stage2/fusion.safetensors",
    "lora.safetensors": "stage2/lora.safetensors",
}
"""Files of a bundle and where the trainings leave them below the runs folder."""

SUBSETS = ("text", "text+audio", "text+video", "audio+video", "text+audio+video")
"""Calibrated together; `audio` and `video` alone are too, on what there is of them."""


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
    _write_calibration(Calibration(), out)


def calibrate(job: Job, bundle: Path) -> Calibration:
    """Fit a temperature for every subset of modalities on dev data and seal the bundle again."""
    device, dtype = scoring_device()
    recognizer = Recognizer.load(
        bundle,
        base_model=resolve(job.spec.llm.base),
        face_detector=None,
        threads=torch.get_num_threads(),
        device=device,
        dtype=dtype,
    )
    composed = job.recipe.settings.stage2.composed_epochs > 0
    make = _composed_dev if composed else _corpus_dev
    temperatures = {
        subset: round(_fit(recognizer, chosen), 4)
        for subset, chosen in make(job, recognizer).items()
        if any(index >= 0 for index in chosen.truth)
    }
    calibration = Calibration(temperatures)
    _write_calibration(calibration, bundle)
    return calibration


def _corpus_dev(job: Job, recognizer: Recognizer) -> dict[str, Examples]:
    """Dev of the recipe's own corpus, with clips where it has them."""
    dialogues = job.open_corpus().splits["dev"]
    if job.recipe.settings.stage2.clip_epochs:
        turns = encode_dialogues(dialogues, recognizer.encoders, job.cache, job.jobs)
        subsets: tuple[str, ...] = (*SUBSETS, "audio", "video")
    else:
        turns = [text_sequence(dialogue, recognizer.labels).turns for dialogue in dialogues]
        subsets = ("text",)
    targets = [label_targets(dialogue, recognizer.labels) for dialogue in dialogues]
    truth = tuple(int(row.argmax()) if row.any() else -1 for own in targets for row in own)
    whole = Examples(tuple(turns), truth)
    return {subset: remove(whole, _absent(subset)) for subset in subsets}


def _composed_dev(job: Job, recognizer: Recognizer) -> dict[str, Examples]:
    """Composed dev; voices and faces alone as they are in their own corpora."""
    corpora = CompactCorpora.below(job.data)
    request = examples.Request(
        path=corpora.meld_dev,
        encoders=recognizer.encoders,
        labels=recognizer.labels,
        cache=job.cache,
        speakers="dev",
        faces=corpora.faces_dev,
        speech=(corpora.speech,),
    )
    composed = examples.composed(request).every(2)  # one number each needs no more
    chosen = {subset: remove(composed, _absent(subset)) for subset in SUBSETS}
    chosen["audio"] = examples.speech(request, lambda _: find_speech(corpora.speech))
    faces = examples.read_dev_faces(corpora.faces_dev)
    majority = tuple(int(index) for index in examples.ferplus_truth(faces, recognizer.labels))
    chosen["video"] = Examples(examples.faces(request, faces).dialogues, majority)
    return chosen


def _absent(subset: str) -> list[str]:
    return [name for name in ("text", "audio", "video") if name not in subset.split("+")]


def _fit(recognizer: Recognizer, chosen: Examples) -> float:
    truth = torch.tensor(chosen.truth)
    scores = label_scores(recognizer, chosen.dialogues)
    return fit_temperature(scores[truth >= 0], truth[truth >= 0])


def _write_calibration(calibration: Calibration, bundle: Path) -> None:
    text = json.dumps(calibration.to_dict(), indent=2) + "\n"
    (bundle / "calibration.json").write_text(text, encoding="utf-8")
    write_manifest(bundle)


def build(job: Job, out: Path) -> None:
    """Assemble and calibrate."""
    assemble(job, out)
    console.print("temperatures", dict(calibrate(job, out).temperatures))
    console.print(f"bundle in {out}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and build."""
    parser = script_parser("training.bundle", __doc__, needs="what the recipe was trained on")
    parser.add_argument("--out", type=Path, default=Path("bundles/mine"), help="of the bundle")
    return run_script(parser, arguments, lambda job: build(job, job.options.out))


if __name__ == "__main__":
    sys.exit(main())
