"""What is scored: a bundle as it was trained, or only the base LLM that it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.model.calibration import Calibration
from engine.model.encoders import Encoders
from engine.model.manifest import verify_bundle
from engine.model.model import EmotionModel
from engine.model.recognizer import Recognizer, read_spec
from export.models import resolve
from stream.errors import UserError
from training.device import make_room, scoring_device
from training.evaluation.training_record import TrainingRecord, read_training_record
from training.evaluation.zero_shot import load_zero_shot


@dataclass(frozen=True, eq=False)
class Subject:
    """A model and what it needs to be scored."""

    bundle: Path
    sha256: str
    """Identity of the bundle."""
    model: EmotionModel
    calibration: Calibration
    encoders: Encoders | None
    """None where it reads words alone."""
    training: TrainingRecord | None
    """None where the bundle has no record, or nothing that was trained is used."""


def load_subject(
    bundle: Path, base_model: str | None = None, *, zero_shot: bool = False, threads: int = 2
) -> Subject:
    """Verify and load a bundle, or the base LLM under its spec.

    Args:
        bundle: Folder.
        base_model: Instead of the base that the bundle names.
        zero_shot: Use nothing that was trained: no LoRA, no adapters, no encoders.
        threads: Of torch.

    Raises:
        UserError: The bundle or the base cannot be had, or they do not match.
    """
    manifest = verify_bundle(bundle)
    spec = read_spec(bundle)
    base = resolve(base_model or spec.llm.base)
    make_room()
    if zero_shot:
        torch.set_num_threads(threads)
        model = load_zero_shot(spec, base)
        return Subject(bundle, manifest.sha256, model, Calibration(), None, None)
    device, dtype = scoring_device()
    loaded = Recognizer.load(
        bundle, base_model=base, face_detector=None, threads=threads, device=device, dtype=dtype
    )
    return Subject(
        bundle,
        manifest.sha256,
        loaded.model,
        loaded.calibration,
        loaded.encoders,
        read_training_record(bundle),
    )


def shared_weights(bundles: Sequence[Path]) -> tuple[str, ...]:
    """Files of weights that are the same in all of several bundles: not trained from each seed.

    Raises:
        UserError: One is not as its manifest says.
    """
    if len(bundles) < 2:
        return ()
    first, *others = (verify_bundle(bundle).files for bundle in bundles)
    return tuple(
        name
        for name, record in sorted(first.items())
        if name.endswith(".safetensors") and all(record == one.get(name) for one in others)
    )


def require_same_labels(bundles: Sequence[Path]) -> None:
    """Refuse bundles that cannot be averaged.

    Raises:
        UserError: Two of them have other labels, or one is there twice.
    """
    labels = {bundle: read_spec(bundle).labels for bundle in bundles}
    if len(labels) < len(bundles):
        raise UserError("a bundle is given twice: give each seed's bundle once")
    first = bundles[0]
    for bundle in bundles[1:]:
        if labels[bundle] != labels[first]:
            raise UserError(
                f"{first} has the labels {', '.join(labels[first])}, {bundle} has "
                f"{', '.join(labels[bundle])}: score them one at a time"
            )
