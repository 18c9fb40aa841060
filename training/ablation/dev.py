"""Predict dev with what a training chose, as the training itself scored dev.

The weights are read back from their files, so what is compared is what a bundle would have.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from safetensors.torch import load_file

from engine.model.calibration import Calibration
from engine.model.model import EmotionModel, TurnInputs
from training.datasets.dialogues import Dialogue
from training.encoders import face_weights, load_encoders
from training.evaluation.predict import NO_COUNTERPART, Examples, remove
from training.evaluation.predictions import Predictions
from training.evaluation.scoring import score
from training.learning.learner import FUSION, build_learner
from training.learning.sequences import label_targets, text_sequence
from training.preprocess import encode_dialogues
from training.script import Job


def predict_dev(job: Job, dialogues: Sequence[Dialogue]) -> tuple[Predictions, list[str]]:
    """Probabilities of every turn that has a label, not calibrated.

    Args:
        job: Of a training whose stage 2 is done.
        dialogues: Of dev.

    Returns:
        The predictions, and for each of their turns the id of its dialogue.
    """
    absent = job.recipe.settings.stage2.without
    chosen = remove(_examples(job, dialogues), absent)
    predictions = score(_trained(job), Calibration(), chosen).predictions
    return predictions, [dialogues[place].id for place in predictions.dialogues]


def _examples(job: Job, dialogues: Sequence[Dialogue]) -> Examples:
    """With clips where the recipe has epochs of them; otherwise words alone."""
    labels = job.spec.labels
    turns: Sequence[tuple[TurnInputs, ...]]
    if job.recipe.settings.stage2.clip_epochs:
        own = job.runs / "stage2"  # where stage 2 leaves encoders that it was asked to train
        encoders = load_encoders(job.spec, own if face_weights(own).exists() else job.runs)
        turns = encode_dialogues(list(dialogues), encoders, job.cache, job.jobs)
    else:
        turns = [text_sequence(dialogue, labels).turns for dialogue in dialogues]
    targets = np.concatenate([label_targets(dialogue, labels).numpy() for dialogue in dialogues])
    truth = np.where(targets.any(axis=1), targets.argmax(axis=1), NO_COUNTERPART)
    return Examples(tuple(turns), tuple(truth.tolist()))


def _trained(job: Job) -> EmotionModel:
    """Base, LoRA and adapters of stage 2, on the GPU if there is one."""
    model = build_learner(job.recipe, start=job.runs / "stage2").model
    model.fusion.load_state_dict(load_file(job.runs / "stage2" / FUSION))
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
