"""The dev sets that a bundle is scored on for its model card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.model.recognizer import Recognizer
from training.evaluate import evaluate
from training.evaluation.scoring import Extra
from training.examples import Request
from training.metrics import Scores
from training.progress import console


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

    def command(self, bundle: str) -> str:
        """What a reader types to get the figures."""
        words = ["python -m training.evaluate", bundle, self.dataset, f"data/{self.path}"]
        if self.dataset == "composed":
            words += ["--faces data/fer2013", "--speech data"]
        if self.speakers:
            words.append(f"--speakers {self.speakers}")
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
        )


def _composed(absent: str = "") -> Evaluation:
    title = f"Composed dev without {absent}" if absent else "Composed dev, words, voice and face"
    without = (absent,) if absent else ()
    return Evaluation(title, "composed", "meld/dev_sent_emo.csv", "dev", without)


EVALUATIONS = (
    Evaluation("MELD dev, words", "meld", "meld/dev_sent_emo.csv"),
    Evaluation("EmoryNLP dev, words", "emorynlp", "emorynlp/emorynlp_dev_final.csv"),
    Evaluation("FER2013 PublicTest, faces, FER2013's label", "fer2013", "fer2013"),
    Evaluation("RAVDESS actors 17-20, English voices", "ravdess", "ravdess", "17-20"),
    Evaluation("EmoDB speakers 13 and 14, German voices", "emodb", "emodb", "13,14"),
    Evaluation("nEMO speakers EB0 and KS0, Polish voices", "nemo", "nemo", "EB0,KS0"),
    _composed(),
    _composed("text"),
    _composed("audio"),
    _composed("video"),
)
"""What a card reports, in its order."""


@dataclass(frozen=True)
class Measured:
    """An evaluation and what came out."""

    evaluation: Evaluation
    scores: Scores | None
    """None where the corpus is not there."""
    extra: Extra


def measure(recognizer: Recognizer, data: Path, cache: Path) -> list[Measured]:
    """Do every evaluation whose corpus is there."""
    results = []
    for evaluation in EVALUATIONS:
        console.rule(evaluation.title)
        if not (data / evaluation.path).exists():
            console.print(f"{data / evaluation.path} is not there: not measured")
            results.append(Measured(evaluation, None, {}))
            continue
        request = evaluation.request(data, recognizer, cache)
        scores, extra = evaluate(recognizer, evaluation.dataset, request, evaluation.without)
        results.append(Measured(evaluation, scores, extra))
    return results
