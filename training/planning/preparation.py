"""What comes before the stages: pictures, encoders and the teacher. All of it is rough."""

from __future__ import annotations

from dataclasses import dataclass

from training.planning.hardware import Hardware
from training.recipe import Recipe

CLIP_SECONDS = 1.6
"""Of one process for a clip of MELD, at 64 frames of 336x336: measured, two cores, 3 hours."""
CLIP_BYTES = 1.53e6
"""In the cache, likewise: 21 GB for the 13,708 clips of all splits."""
PAPER_PIXELS = 64 * 336 * 336
FACE_HOURS = 2.0
"""DenseNet of the compact spec on FER2013, 30 epochs on two cores: measured, docs/training.md."""
SPEECH_HOURS = 0.15
"""openSMILE over the speech corpora and the network on it, two cores: likewise."""
TEACHER_TOKENS = 8 * 144 + 250
"""Read for an utterance: 8 pictures of 336x336 and the question (Qwen2-VL: a token for 28x28)."""
ANSWER_TOKENS = 80
VISION_PARAMETERS = 8.3e9
"""Of Qwen2-VL-7B-Instruct."""
MEASURED_SECONDS = 0.5
"""Of the measured teacher for an utterance: 24 pictures at some 20 ms."""


@dataclass(frozen=True)
class Preparation:
    """A step before the stages."""

    name: str
    amount: str
    """Of what, in words."""
    hours: float | None
    """None where that is not known."""
    where: str
    """On which machine these hours are."""


def preparations(recipe: Recipe, utterances: int, hardware: Hardware) -> tuple[Preparation, ...]:
    """The steps that a recipe needs before its stages.

    Args:
        recipe: The training.
        utterances: Of the training split.
        hardware: For what runs on GPUs.
    """
    steps = [_encoders(recipe)]
    clips = recipe.settings.stage2.clip_epochs > 0 or recipe.settings.encoders.audio != "train"
    if clips and utterances:
        size = recipe.spec.video.size
        share = recipe.spec.video.frames * size * size / PAPER_PIXELS
        cache = utterances * CLIP_BYTES * share / 1e9
        steps.append(
            Preparation(
                "preprocess",
                f"{utterances:,} clips, {cache:.1f} GB in the cache",
                utterances * CLIP_SECONDS / 2 / 3600,
                "two cores; dev and test come on top",
            )
        )
    teacher = recipe.settings.teacher.kind
    if recipe.has_stage1 and teacher != "none":
        steps.append(_teacher(teacher, utterances, hardware))
    return tuple(step for step in steps if step is not None)


def _encoders(recipe: Recipe) -> Preparation | None:
    settings = recipe.settings.encoders
    face = FACE_HOURS if settings.video == "train" else 0.0
    speech = SPEECH_HOURS if settings.audio == "train" else 0.0
    if not face + speech:
        return Preparation("encoders", "DenseNet is fetched, the voices' scale fitted", 0.0, "")
    parts = [("DenseNet on FER2013", face), ("speech network", speech)]
    named = ", ".join(name for name, hours in parts if hours)
    return Preparation("encoders", named, face + speech, "two cores, at the compact spec's size")


def _teacher(kind: str, utterances: int, hardware: Hardware) -> Preparation:
    amount = f"{utterances:,} utterances by the {kind} teacher"
    if kind == "vision":
        flops = 2 * VISION_PARAMETERS * (TEACHER_TOKENS + ANSWER_TOKENS) * utterances
        return Preparation(
            "describe", amount, hardware.hours(flops, "bf16"),
            "estimated for Qwen2-VL-7B on the GPUs of the plan; at least",
        )  # fmt: skip
    if kind == "measured":
        return Preparation("describe", amount, utterances * MEASURED_SECONDS / 3600, "one core")
    if kind == "prosody":
        return Preparation("describe", amount, 0.0, "")
    return Preparation("describe", amount, None, "depends on the server")


def duration(hours: float) -> str:
    """Hours as a person says them: `under a minute`, `12 min`, `3.4 h`."""
    if hours < 1 / 60:
        return "under a minute"
    return f"{hours * 60:.0f} min" if hours < 1 else f"{hours:.1f} h"
