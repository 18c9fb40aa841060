"""An evaluation as one JSON document: the report is made from it, so both say the same."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from training.clips.prepare import PreparedReport
from training.evaluation.bootstrap import (
    LEAST_DIALOGUES,
    LEVEL,
    RESAMPLES,
    Difference,
    paired_bootstrap,
)
from training.evaluation.summary import Run, Summary, difference_json, summarise, summary_json
from training.evaluation.word_errors import WordErrors

PACKAGES = ("bemerc-live", "torch", "transformers", "numpy")
"""Whose versions a report gives."""


@dataclass(frozen=True)
class About:
    """What was asked for."""

    command: str
    """That gives the same figures again."""
    dataset: str
    path: str
    split: str | None
    """None where the path is one split."""
    without: tuple[str, ...] = ()
    """Modalities left out."""
    zero_shot: bool = False
    words: str = "human"
    """Whose transcripts: `human`, `asr` or `both`."""
    noise: float | None = None
    """Word errors per word put into the corpus's transcripts; None where they are read as they
    are."""
    punctuated: bool = False
    """Whether these keep case and punctuation."""
    degraded: bool = False
    """Whether pictures are as a detector, a webcam and a codec leave them."""
    shared: tuple[str, ...] = ()
    """Weights that several bundles have in common (`training.evaluation.subjects`)."""


@dataclass(frozen=True)
class Heard:
    """What the transcriber made of the clips."""

    errors: WordErrors
    """Against the corpus's own transcripts, where there is sound."""
    unheard: int
    """Utterances without sound that could be read: they have no words then."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that came out."""

    about: About
    summary: Summary
    """With the corpus's transcripts; with the transcriber's where only these were asked for."""
    asr: Summary | None = None
    """With the transcriber's, beside the corpus's."""
    difference: Mapping[str, Difference] | None = None
    """Transcriber's minus corpus's."""
    heard: Heard | None = None
    """Where the transcriber was asked."""
    clips: PreparedReport | None = None
    """Where the corpus has clips that were used."""


def bring_together(
    about: About,
    human: Sequence[Run],
    asr: Sequence[Run],
    heard: Heard | None = None,
    clips: PreparedReport | None = None,
) -> Evaluation:
    """Summarise the runs with either kind of words, and compare where there are both."""
    if not (human and asr):
        return Evaluation(about, summarise(human or asr), heard=heard, clips=clips)
    pair = [[run.scored.predictions for run in runs] for runs in (asr, human)]
    enough = pair[0][0].dialogue_count >= LEAST_DIALOGUES
    difference = paired_bootstrap(*pair) if enough else None
    return Evaluation(about, summarise(human), summarise(asr), difference, heard, clips)


def to_document(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as JSON-safe values."""
    document: dict[str, Any] = {
        **summary_json(evaluation.summary),
        "about": {
            **asdict(evaluation.about),
            "without": list(evaluation.about.without),
            "context": "past",
            "interval_level": LEVEL,
            "resamples": RESAMPLES,
            "versions": versions(),
        },
    }
    if evaluation.heard is not None:
        errors = evaluation.heard.errors
        document["transcripts"] = {
            "word_error_rate": errors.rate,
            "word_errors": errors.errors,
            "reference_words": errors.words,
            "unheard": evaluation.heard.unheard,
        }
    if evaluation.asr is not None:
        document["asr"] = summary_json(evaluation.asr)
        found = evaluation.difference
        document["difference"] = difference_json(found) if found is not None else None
    if evaluation.clips is not None:
        document["clips"] = _clips(evaluation.clips)
    return document


def versions() -> dict[str, str]:
    """Of what the figures depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # run from a checkout, not installed
            found[name] = "unknown"
    return found


def _clips(report: PreparedReport) -> dict[str, Any]:
    flaws = [
        {"dialogue": flaw.dialogue, "utterance": flaw.utterance, "reason": flaw.reason}
        for flaw in report.flaws
    ]
    return {"clips": report.clips, "without_clip": report.without_clip, "flaws": flaws}
