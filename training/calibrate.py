"""Calibrate a bundle on dev data, and say how honest it is then.

    python -m training.calibrate compact --data FOLDER --bundle bundles/compact [--dry-run] [--json]

For each subset of modalities a temperature is fitted, and a bias of each label where that
lowers the cross-fitted cross-entropy. The figures are cross-fitted: dev is cut in two, and
each part is recognised with numbers that were fitted on the other (`training.calibration.sets`).
A subset's threshold for abstaining is the confidence at 80 % coverage of its dev set, and at
most that of words: composed dev is easier than any conversation, and calibrated confidence
means the same whatever it was made from.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.table import Table

from engine.arguments import run_command
from engine.model.calibration import Calibration
from engine.model.manifest import verify_bundle
from engine.model.recognizer import Recognizer, read_spec
from export.bundle import rewriting
from export.models import resolve
from training.calibration.fitting import Held, Labelled, choose, confidence_at, fit
from training.calibration.sets import DevSet, dev_sets
from training.device import make_room, scoring_device
from training.evaluation.metrics import expected_calibration_error, scores
from training.evaluation.predict import Examples, label_scores
from training.evaluation.selective import accuracy_at
from training.progress import Results, console
from training.script import Job, run_script, script_parser

REPORT = "calibration_dev.json"
"""In a bundle: the cross-fitted figures."""
SHOWN = ("n", "bias", "nll", "ece", "accuracy", "weighted_f1", "at 80 %", "at 90 %", "threshold")


@dataclass(frozen=True)
class SubsetFigures:
    """Cross-fitted figures of a subset."""

    n: int
    """Turns."""
    bias: bool
    """Whether labels have one."""
    nll: float
    """Mean negative log-likelihood, in nats."""
    ece: float
    accuracy: float
    weighted_f1: float
    accuracy_at_80: float
    accuracy_at_90: float
    threshold: float
    """Confidence below which the bundle abstains."""


@dataclass(frozen=True, eq=False)
class Scored:
    """The label scores of a `DevSet`."""

    whole: Labelled
    folds: tuple[Labelled, Labelled]


def score_set(recognizer: Recognizer, chosen: DevSet) -> Scored:
    """Score a set; turns without truth are left out."""
    whole = _labelled(recognizer, chosen.whole)
    second = None if chosen.second is None else _labelled(recognizer, chosen.second)
    return divide(whole, torch.from_numpy(chosen.folds), second)


def divide(whole: Labelled, folds: torch.Tensor, second: Labelled | None = None) -> Scored:
    """Cut scores into folds: (n, E) and (n,), (n,) of 0 and 1."""

    def known(labelled: Labelled, rows: torch.Tensor) -> Labelled:
        rows = rows & (labelled[1] >= 0)
        return labelled[0][rows], labelled[1][rows]

    every = torch.ones_like(whole[1], dtype=torch.bool)
    first = known(whole, folds == 0)
    if second is None:
        other = known(whole, folds == 1)
    else:
        other = known(second, torch.ones_like(second[1], dtype=torch.bool))
    return Scored(known(whole, every), (first, other))


def fit_all(
    sets: Mapping[str, Scored], labels: Sequence[str]
) -> tuple[Calibration, dict[str, SubsetFigures]]:
    """Fit every subset that has turns; its figures are cross-fitted where both folds have some."""
    temperatures, biases, thresholds = {}, {}, {}
    held: dict[str, tuple[bool, Held]] = {}
    for subset, scored in sets.items():
        if not len(scored.whole[1]):
            continue
        bias = False
        if all(len(truth) for _, truth in scored.folds):
            held[subset] = choose(scored.folds)
            bias = held[subset][0]
        found = fit(scored.whole, bias=bias)
        temperatures[subset] = found.temperature
        if found.bias is not None:
            biases[subset] = found.bias
        confidence = found(scored.whole[0]).max(1).values.double().numpy()
        thresholds[subset] = confidence_at(confidence)
    most = thresholds.get("text", 1.0)
    # Down: the turn whose confidence it is was to be answered.
    thresholds = {
        name: math.floor(min(value, most) * 1e4) / 1e4 for name, value in thresholds.items()
    }
    figures = {
        subset: _figures(own, labels, bias, thresholds[subset])
        for subset, (bias, own) in held.items()
    }
    return Calibration(temperatures, biases, thresholds), figures


def _figures(held: Held, labels: Sequence[str], bias: bool, threshold: float) -> SubsetFigures:
    truth, probabilities = held.truth.numpy(), held.probabilities.double().numpy()
    overall = scores(labels, truth, probabilities)
    hits = (probabilities.argmax(1) == truth).astype(int)
    return SubsetFigures(
        n=len(truth),
        bias=bias,
        nll=held.nll,
        ece=expected_calibration_error(hits == 1, held.confidence),
        accuracy=overall.accuracy,
        weighted_f1=overall.weighted_f1,
        accuracy_at_80=accuracy_at(held.confidence, hits, 0.8),
        accuracy_at_90=accuracy_at(held.confidence, hits, 0.9),
        threshold=threshold,
    )


def _labelled(recognizer: Recognizer, chosen: Examples) -> Labelled:
    return label_scores(recognizer, chosen.dialogues), torch.tensor(chosen.truth)


def measure(job: Job, recognizer: Recognizer) -> tuple[Calibration, dict[str, SubsetFigures]]:
    """Fit on dev data; nothing is written."""
    sets = dev_sets(job, recognizer)
    scored = {subset: score_set(recognizer, chosen) for subset, chosen in sets.items()}
    return fit_all(scored, recognizer.labels)


def load(bundle: Path, *, sealed: bool = True) -> Recognizer:
    """The bundle, or what is yet to become one, as it is scored."""
    make_room()
    device, dtype = scoring_device()
    return Recognizer.load(
        bundle,
        base_model=resolve(read_spec(bundle).llm.base),
        face_detector=None,
        threads=torch.get_num_threads(),
        device=device,
        dtype=dtype,
        sealed=sealed,
    )


def write_calibration(
    calibration: Calibration, folder: Path, figures: Mapping[str, SubsetFigures] | None = None
) -> None:
    """Write `calibration.json` and the figures beside it, into what is sealed afterwards."""
    _write(folder / "calibration.json", calibration.to_dict())
    report = folder / REPORT
    if figures:
        _write(report, figures_json(figures))
    else:
        report.unlink(missing_ok=True)  # of another calibration


def figures_json(figures: Mapping[str, SubsetFigures]) -> dict[str, object]:
    """As JSON-safe values."""
    return {subset: asdict(one) for subset, one in figures.items()}


def _write(path: Path, values: Mapping[str, object]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def figures_table(figures: Mapping[str, SubsetFigures]) -> Table:
    """The figures for a person."""
    table = Table(title="cross-fitted on dev", title_justify="left")
    table.add_column("from")
    for name in SHOWN:
        table.add_column(name.replace("_", " "), justify="right")
    for subset, one in figures.items():
        table.add_row(subset, *figures_row(one))
    return table


def figures_row(one: SubsetFigures) -> list[str]:
    """The cells of `SHOWN`, shares in percent."""
    shares = (one.ece, one.accuracy, one.weighted_f1, one.accuracy_at_80, one.accuracy_at_90)
    return [
        str(one.n),
        "yes" if one.bias else "no",
        f"{one.nll:.3f}",
        *(f"{100 * share:.1f}" for share in (*shares, one.threshold)),
    ]


def _run(job: Job) -> None:
    bundle: Path = job.options.bundle
    verify_bundle(bundle)
    calibration, figures = measure(job, load(bundle))
    if not job.options.dry_run:
        with rewriting(bundle) as changed:
            write_calibration(calibration, changed, figures)
    if job.options.json:
        print(json.dumps({**calibration.to_dict(), "figures": figures_json(figures)}))
        return
    Results().print(figures_table(figures))
    if not job.options.dry_run:
        console.print(f"{bundle / 'calibration.json'} written and the bundle sealed")


def fitting_parser(module: str, description: str | None, needs: str) -> argparse.ArgumentParser:
    """A parser of a script that fits numbers of a bundle on dev."""
    parser = script_parser(module, description, needs)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/mine"), help="its folder")
    parser.add_argument("--dry-run", action="store_true", help="print, and change no file")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, calibrate and print."""
    parser = fitting_parser("training.calibrate", __doc__, needs="the recipe's dev data")
    return run_script(parser, arguments, _run)


if __name__ == "__main__":
    run_command(main)
