"""The dev sets that a bundle is scored on for its model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.model.recognizer import Recognizer
from training.evaluation import examples
from training.evaluation.conversations import (
    degraded,
    encode,
    read_conversations,
    to_examples,
    with_texts,
)
from training.evaluation.examples import Examples, Request
from training.evaluation.metrics import Scores
from training.evaluation.predict import remove
from training.evaluation.predictions import Predictions
from training.evaluation.scoring import Extra, score
from training.progress import console

MELD_DEV = "meld/dev_sent_emo.csv"


@dataclass(frozen=True)
class Evaluation:
    """One call of `training.evaluate`."""

    title: str
    """Heading in the card."""
    dataset: str
    """One of `training.evaluate.DATASETS`."""
    path: str
    """Of the corpus, below the data folder."""
    speakers: str | None = None
    without: tuple[str, ...] = ()
    noise: float | None = None
    """Word errors put into the transcripts."""
    half: int | None = None
    """Of the composed voices and faces."""
    mismatched: float = 0.0
    """Share of the composed voices, and faces, that are of another turn's label."""
    degraded: bool = False
    """Whether pictures are as a detector, a webcam and a codec leave them."""

    def command(self, bundle: str) -> str:
        """What a reader types to get the figures."""
        words = ["python -m training.evaluate", bundle, self.dataset, f"data/{self.path}"]
        if self.dataset == "composed":
            words += ["--faces data/fer2013", "--speech data"]
        if self.speakers:
            words.append(f"--speakers {self.speakers}")
        if self.half is not None:
            words.append(f"--half {self.half}")
        if self.mismatched:
            words.append(f"--mismatched {self.mismatched:g}")
        if self.noise is not None:
            words.append(f"--noise {self.noise:g}")
        if self.degraded:
            words.append("--degraded")
        return " ".join([*words, *(f"--without {name}" for name in self.without)])

    def request(self, data: Path, recognizer: Recognizer, cache: Path) -> Request:
        """The same as `command`, for `evaluate`."""
        composed = self.dataset == "composed"
        return Request(
            path=data / self.path,
            encoders=recognizer.encoders,
            labels=recognizer.labels,
            cache=cache,
            speakers=self.speakers,
            faces=data / "fer2013" if composed else None,
            speech=(data,) if composed else (),
            half=self.half,
            mismatched=self.mismatched,
            degraded=self.degraded,
        )

    def read(self, data: Path, recognizer: Recognizer, cache: Path) -> Examples:
        """What is scored."""
        request = self.request(data, recognizer, cache)
        if self.noise is None:
            return remove(examples.read(self.dataset, request), self.without)
        conversations = read_conversations(self.dataset, request.path)
        turns = encode(conversations, recognizer.encoders, cache)
        noisy = with_texts(turns, degraded(conversations, self.noise, request.seed))
        return remove(to_examples(conversations, noisy, recognizer.labels), self.without)


def evaluations(mismatched: float) -> tuple[Evaluation, ...]:
    """What a card reports, in its order; dev is composed as the recipe composes."""
    composed = [_composed(absent, mismatched) for absent in ("", "text", "audio", "video")]
    return (*SINGLE, *composed, *([_composed()] if mismatched else []))


def _composed(absent: str = "", mismatched: float = 0.0) -> Evaluation:
    title = f"Composed dev without {absent}" if absent else "Composed dev, words, voice and face"
    title = title if mismatched else f"{title}, all of one label"
    without = (absent,) if absent else ()
    return Evaluation(title, "composed", MELD_DEV, "dev", without, half=2, mismatched=mismatched)


SINGLE = (
    Evaluation("MELD dev, words", "meld", MELD_DEV, without=("audio",)),
    Evaluation("MELD dev, words and measured prosody, weighed here", "meld", MELD_DEV),
    Evaluation("EmoryNLP dev, words", "emorynlp", "emorynlp/emorynlp_dev_final.csv"),
    Evaluation("FER2013 PublicTest, faces, FER2013's label", "fer2013", "fer2013"),
    Evaluation("FER2013 PublicTest, poor pictures", "fer2013", "fer2013", degraded=True),
    Evaluation("RAVDESS actors 17-20, English voices", "ravdess", "ravdess", "17-20"),
    Evaluation("EmoDB speakers 13 and 14, German voices", "emodb", "emodb", "13,14"),
    Evaluation("nEMO speakers EB0 and KS0, Polish voices", "nemo", "nemo", "EB0,KS0"),
)
"""Corpora that are scored as they are."""
NOISE = tuple(
    Evaluation(
        f"MELD dev, {100 * rate:g} % of the words wrong",
        "meld",
        MELD_DEV,
        without=("audio",),
        noise=rate,
    )
    for rate in (0.0, 0.05, 0.1, 0.15, 0.2)
)
"""The curve over transcription noise: no case, no punctuation, and word errors."""


@dataclass(frozen=True)
class Measured:
    """An evaluation and what came out."""

    evaluation: Evaluation
    scores: Scores | None
    """None where the corpus is not there."""
    extra: Extra
    by_gender: Mapping[str, Scores] = field(default_factory=dict)
    """Where the corpus says it."""
    predictions: Predictions | None = None
    """For the curves."""


def measure(
    recognizer: Recognizer, data: Path, cache: Path, chosen: Sequence[Evaluation]
) -> list[Measured]:
    """Do every evaluation whose corpus is there."""
    results = []
    for evaluation in chosen:
        console.rule(evaluation.title)
        if not (data / evaluation.path).exists():
            console.print(f"{data / evaluation.path} is not there: not measured")
            results.append(Measured(evaluation, None, {}))
            continue
        turns = evaluation.read(data, recognizer, cache)
        scored = score(recognizer.model, recognizer.calibration, turns)
        predictions = scored.predictions
        results.append(
            Measured(
                evaluation, predictions.scores(), scored.extra, scored.by_gender(), predictions
            )
        )
    return results
