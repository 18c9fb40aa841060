"""The encoders of a recipe: trained here, fetched, or only fitted to the corpus's scale.

    python -m training.encoders compact --data FOLDER
    python -m training.encoders bemerc-meld --data FOLDER

`encoders.video` is `train` (`training.face`, on FER2013) or weights of a DenseNet; with
`encoders.audio` as `train` there is a small network on openSMILE's functionals
(`training.speech`), with `standardise` only their mean and deviation over the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from engine.arguments import run_command
from engine.model.densenet import DenseNet
from engine.model.encoders import Encoders, SpeechEncoder
from engine.model.spec import ModelSpec
from export.models import resolve
from stream.errors import UserError
from training import face, speech
from training.datasets.speech import find_speech
from training.evaluation.training_record import read_training_record
from training.learning.checkpoint import write_tensors
from training.preprocess import scale_of
from training.progress import console
from training.script import Job, run_script, script_parser


def prepare(job: Job) -> None:
    """Make what is not there yet."""
    settings = job.recipe.settings.encoders
    video, audio = face_weights(job.runs), speech_weights(job.runs)
    if settings.video == "train":
        # Resumes by itself, and does nothing once its epochs are done.
        faces = job.data / "fer2013"
        if not faces.exists():
            raise UserError(
                f"{faces} is missing, and the recipe's encoders.video is train: see docs/data.md, "
                "or take a DenseNet that is trained, such as "
                "--set encoders.video=bundles/compact/face.safetensors"
            )
        face.train(faces, job.spec.video, face.FaceTraining(seed=job.seed), video.parent)
    elif not video.exists():
        fetch_densenet(settings.video, job.spec, video)
    if audio.exists():
        return
    if settings.audio == "train":
        _require_speech(job.data)
        options = speech.SpeechTraining(seed=job.seed)
        speech.train(job.data, job.spec.audio, options, audio.parent, job.cache)
    else:
        fit_scale(job, audio)


def _require_speech(data: Path) -> None:
    """Say which key of the recipe asks for speech, where there is none.

    Raises:
        UserError: There is none below the folder.
    """
    try:
        find_speech(data)
    except UserError as error:
        raise UserError(
            f"{error}. The recipe's encoders.audio is train: with "
            "--set encoders.audio=standardise --set spec.audio.hidden=0 none is needed"
        ) from error


def load_encoders(spec: ModelSpec, runs: Path, *, frozen: bool = True) -> Encoders:
    """The encoders below `runs`.

    Raises:
        UserError: they are not there, or of another spec.
    """
    densenet = DenseNet(spec.video.densenet)
    encoder = SpeechEncoder.of(spec.audio, len(spec.labels))
    for module, path in ((densenet, face_weights(runs)), (encoder, speech_weights(runs))):
        if not path.exists():
            raise UserError(f"{path} is missing: run python -m training.encoders first")
        try:
            module.load_state_dict(load_file(path))
        except (RuntimeError, SafetensorError) as error:
            raise UserError(f"{path} is of another spec: delete it and make it again") from error
    return Encoders(spec, densenet, encoder, frozen=frozen)


def face_weights(runs: Path) -> Path:
    """Of the DenseNet."""
    return runs / "face" / face.WEIGHTS


def speech_weights(runs: Path) -> Path:
    """Of the speech encoder."""
    return runs / "speech" / "speech.safetensors"


def fetch_densenet(name: str, spec: ModelSpec, path: Path) -> None:
    """Copy a DenseNet's weights from a safetensors file, a folder with one, or the hub.

    Raises:
        UserError: there is none, or it is not of the spec's shape.
    """
    found = resolve(name)
    source = found / "model.safetensors" if found.is_dir() else found
    densenet = DenseNet(spec.video.densenet)
    try:
        densenet.load_state_dict(load_file(source))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"encoders.video {name}: {source} is not a DenseNet of the recipe's shape in "
            f"safetensors ({reason}): name another, or set encoders.video to train"
        ) from error
    write_tensors(path, densenet.state_dict())
    if record := _record_beside(source):
        text = json.dumps(record, indent=2) + "\n"
        path.with_name(face.RECORD).write_text(text, encoding="utf-8")
    console.print(f"DenseNet from {source}")


def _record_beside(weights: Path) -> dict[str, Any]:
    """How a DenseNet of a bundle or of a runs folder was trained; empty where nothing says so."""
    if weights.name != face.WEIGHTS:  # of the hub: files of the same name say else
        return {}
    if (path := weights.with_name(face.RECORD)).exists():
        return cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8")))
    record = read_training_record(weights.parent)
    return {} if record is None else record.encoders.get("face", {})


def fit_scale(job: Job, path: Path) -> None:
    """Mean and deviation of the functionals over the corpus's training clips."""
    corpus = job.open_corpus()
    mean, deviation = scale_of(corpus.splits["train"], job.spec, job.cache, job.jobs)
    encoder = SpeechEncoder.of(job.spec.audio, len(job.spec.labels))
    encoder.mean.copy_(mean)
    encoder.deviation.copy_(torch.as_tensor(deviation).clamp_min(1e-6))
    write_tensors(path, encoder.state_dict())


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and prepare."""
    needs = "FER2013 and speech corpora, or the recipe's corpus with its clips"
    return run_script(
        script_parser("training.encoders", __doc__, needs=needs, smoke=True), arguments, prepare
    )


if __name__ == "__main__":
    run_command(main)
