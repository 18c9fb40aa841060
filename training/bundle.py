"""Put what the three trainings wrote into a bundle, and calibrate it on dev data.

python -m training.bundle --data FOLDER --out bundles/compact
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
from engine.model.spec import ModelSpec
from export.bundle import write_manifest
from export.models import resolve
from training import examples
from training.corpora import Corpora
from training.datasets.speech import find_speech
from training.predict import Examples, label_scores, remove
from training.progress import console
from training.script import Job, run_script, script_parser

WEIGHTS = {
    "face.safetensors": "face/face.safetensors",
    "speech.safetensors": "speech/speech.safetensors",
    "fusion.safetensors": "stage2/fusion.safetensors",
    "lora.safetensors": "stage2/lora.safetensors",
}
"""Files of a bundle and where the trainings leave them below the runs folder."""

SUBSETS = ("text", "text+audio", "text+video", "audio+video", "text+audio+video")
"""Calibrated on composed dev; `audio` and `video` alone are, on their own corpora."""


def assemble(spec: ModelSpec, runs: Path, out: Path) -> None:
    """Write a bundle without calibration; a model card that is there stays."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "spec.json").write_text(json.dumps(spec.to_dict(), indent=2) + "\n", encoding="utf-8")
    for name, source in WEIGHTS.items():
        shutil.copyfile(runs / source, out / name)
    _write_calibration(Calibration(), out)


def calibrate(bundle: Path, corpora: Corpora, base_model: Path, cache: Path) -> Calibration:
    """Fit a temperature for every subset of modalities on dev data and seal the bundle again."""
    recognizer = Recognizer.load(
        bundle, base_model=base_model, face_detector=None, threads=torch.get_num_threads()
    )
    request = examples.Request(
        path=corpora.meld_dev,
        encoders=recognizer.encoders,
        labels=recognizer.labels,
        cache=cache,
        speakers="dev",
        faces=corpora.faces_dev,
        speech=(corpora.speech,),
    )
    composed = examples.composed(request).every(2)  # one number each needs no more
    temperatures = {}
    for subset in SUBSETS:
        absent = [name for name in ("text", "audio", "video") if name not in subset.split("+")]
        temperatures[subset] = _fit(recognizer, remove(composed, absent))
    temperatures["audio"] = _fit(recognizer, examples.speech(request, find_speech_of(corpora)))
    faces = examples.read_dev_faces(corpora.faces_dev)
    alone = examples.faces(request, faces)
    majority = tuple(int(index) for index in examples.ferplus_truth(faces, recognizer.labels))
    temperatures["video"] = _fit(recognizer, Examples(alone.dialogues, majority))
    calibration = Calibration({name: round(t, 4) for name, t in temperatures.items()})
    _write_calibration(calibration, bundle)
    return calibration


def find_speech_of(corpora: Corpora) -> examples.ReadSpeech:
    """A reader of all speech corpora there are."""
    return lambda _: find_speech(corpora.speech)


def _fit(recognizer: Recognizer, chosen: Examples) -> float:
    truth = torch.tensor(chosen.truth)
    scores = label_scores(recognizer, chosen.dialogues)
    return fit_temperature(scores[truth >= 0], truth[truth >= 0])


def _write_calibration(calibration: Calibration, bundle: Path) -> None:
    text = json.dumps(calibration.to_dict(), indent=2) + "\n"
    (bundle / "calibration.json").write_text(text, encoding="utf-8")
    write_manifest(bundle)


def build(corpora: Corpora, spec: ModelSpec, runs: Path, out: Path, cache: Path) -> None:
    """Assemble and calibrate."""
    assemble(spec, runs, out)
    calibration = calibrate(out, corpora, resolve(spec.llm.base), cache)
    console.print("temperatures", dict(calibration.temperatures))
    console.print(f"bundle in {out}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and build."""
    parser = script_parser(
        "training.bundle", __doc__, needs="MELD, FER2013 and speech corpora", smoke=False
    )
    parser.add_argument("--out", type=Path, default=Path("bundles/compact"))
    return run_script(parser, arguments, _run)


def _run(job: Job) -> None:
    build(Corpora.below(job.data), job.spec, job.runs, job.options.out, job.cache)


if __name__ == "__main__":
    sys.exit(main())
