"""The parts of a model card that are more than a table of one data set, and its pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from training.calibrate import REPORT, SHOWN, SubsetFigures, figures_row
from training.cards.dev_sets import Measured
from training.cards.inputs import Inputs
from training.cards.markdown import code, percent, table
from training.cards.seeds import seed_rows
from training.evaluation.figures import noise_png, reliability_png, risk_coverage_png
from training.evaluation.predictions import reliability
from training.evaluation.selective import selective

PICTURES = {
    "confidence": "card_confidence.png",
    "reliability": "card_reliability.png",
    "noise": "card_noise.png",
}
"""In the bundle."""
MISSING = "Not measured."


def sections(
    bundle: Path, results: Sequence[Measured], inputs: Inputs, shown: str
) -> dict[str, str]:
    """What `card_text.TEMPLATE` has names for; the pictures must be there already.

    Args:
        bundle: Its folder.
        results: Of the dev sets.
        inputs: What else was measured.
        shown: The bundle's folder as a reader types it.
    """
    return {
        "seeds": _seeds(inputs),
        "calibration": _calibration(bundle, shown),
        "abstaining": _abstaining(bundle, results),
        "noise": _noise(bundle, results, inputs, shown),
        "genders": _genders(results),
        "latency": _latency(inputs),
    }


def write_pictures(bundle: Path, results: Sequence[Measured], inputs: Inputs) -> None:
    """Draw what was measured into the bundle; an older picture of what was not goes."""
    drawn: dict[str, bytes] = {}
    words = _words(results)
    if words is not None and words.predictions is not None:
        drawn["reliability"] = reliability_png(reliability([words.predictions]))
        others = {
            one.evaluation.title: selective([one.predictions]).curve
            for one in results
            if one.predictions is not None and one.evaluation.without == ()
        }
        drawn["confidence"] = risk_coverage_png([], others)
    points = [(r.evaluation.noise or 0.0, r.scores.weighted_f1) for r in inputs.noise if r.scores]
    if points and words is not None and words.scores is not None:
        drawn["noise"] = noise_png(points, words.scores.weighted_f1)
    for key, name in PICTURES.items():
        path = bundle / name
        if key in drawn:
            path.write_bytes(drawn[key])
        else:
            path.unlink(missing_ok=True)


def _words(results: Sequence[Measured]) -> Measured | None:
    """MELD dev, words as they are."""
    found = [one for one in results if one.evaluation.dataset == "meld" and one.scores]
    return found[0] if found else None


def _picture(bundle: Path, key: str, text: str) -> list[str]:
    name = PICTURES[key]
    return ["", f"![{text}]({name})"] if (bundle / name).exists() else []


def _seeds(inputs: Inputs) -> str:
    if not inputs.seeds:
        return f"{MISSING} The figures below are of one seed."
    parts = []
    for one in inputs.seeds:
        heads = ("figure", "mean", "deviation", *(f"seed {n + 1}" for n in range(len(one.each))))
        parts += [code(one.command), "", table(heads, seed_rows(one)), ""]
        if one.shared:
            parts += [f"All have the same {', '.join(one.shared)}.", ""]
    return "\n".join(parts).rstrip()


def _calibration(bundle: Path, shown: str) -> str:
    path = bundle / REPORT
    if not path.exists():
        return MISSING
    document = json.loads(path.read_text(encoding="utf-8"))
    rows = [(name, *figures_row(SubsetFigures(**one))) for name, one in document.items()]
    text = [
        "Cross-fitted: dev is cut in two, and each part is recognised with numbers fitted on",
        "the other, which shares no dialogue, speaker or picture with it. With `--dry-run` nothing",
        "is changed:",
        "",
        code(f"python -m training.calibrate compact --data data --bundle {shown} --dry-run"),
        "",
        table(("from", *(name.replace("_", " ") for name in SHOWN)), rows),
        *_picture(bundle, "reliability", "Accuracy by confidence on MELD dev, words"),
    ]
    return "\n".join(text)


def _abstaining(bundle: Path, results: Sequence[Measured]) -> str:
    rows = []
    for one in results:
        if one.predictions is None:
            continue
        figures = selective([one.predictions])
        answered = one.extra.get("answered"), one.extra.get("accuracy_where_answered")
        own = [percent(float(share)) if share is not None else "" for share in answered]
        shares = [percent(accuracy) for _, accuracy in figures.accuracy_at]
        rows.append((one.evaluation.title, *shares, f"{figures.aurc:.3f}", *own))
    if not rows:
        return MISSING
    heads = ("data", "at 80 %", "at 90 %", "at 100 %", "AURC", "answered", "accuracy then")
    lines = [
        table(heads, rows),
        "",
        "*Answered* is the share above the bundle's own thresholds. AURC is the area under the",
        "curve of the risk (share of wrong answers) by coverage (share answered).",
        *_picture(bundle, "confidence", "Risk by coverage"),
    ]
    return "\n".join(lines)


def _noise(bundle: Path, results: Sequence[Measured], inputs: Inputs, shown: str) -> str:
    measured = [one for one in inputs.noise if one.scores is not None]
    if not measured:
        return MISSING
    clean = _words(results)
    rows = []
    if clean is not None and clean.scores is not None:
        rows.append(("as they are", percent(clean.scores.weighted_f1), percent(clean.scores.ece)))
    for one in measured:
        assert one.scores is not None
        rate = f"{100 * (one.evaluation.noise or 0.0):g} % wrong"
        rows.append((rate, percent(one.scores.weighted_f1), percent(one.scores.ece)))
    lines = [
        "MELD dev with words as a speech recogniser would write them: lower case, no punctuation,",
        "and a share of the words wrong (`training/transcription_noise.py`).",
        "",
        code(*(one.evaluation.command(shown) for one in measured)),
        "",
        table(("words", "weighted F1", "ECE"), rows),
        *_picture(bundle, "noise", "Weighted F1 by share of wrong words"),
    ]
    return "\n".join(lines)


def _genders(results: Sequence[Measured]) -> str:
    rows = [
        (
            one.evaluation.title,
            gender,
            str(scores.n),
            *map(percent, (scores.unweighted_accuracy, scores.accuracy, scores.ece)),
        )
        for one in results
        for gender, scores in one.by_gender.items()
    ]
    if not rows:
        return MISSING
    heads = ("data", "speakers", "clips", "unweighted accuracy", "accuracy", "ECE")
    return "\n".join(
        (
            "Printed by the commands of the three corpora of voices below. Words and faces have no",
            "such figures: MELD and FER2013 do not say who is a woman and who a man.",
            "",
            table(heads, rows),
        )
    )


def _latency(inputs: Inputs) -> str:
    if not inputs.latency:
        return MISSING
    rows = [(one.stage, str(one.n), f"{one.p50:.0f}", f"{one.p95:.0f}") for one in inputs.latency]
    return "\n".join(
        (
            "Milliseconds per utterance of `demo/talk.mp4`, on the machine that wrote this card.",
            "",
            code(
                "python run_live.py --file demo/talk.mp4 --mqtt off --jsonl out/talk.jsonl",
                "python -m training.latency out/talk.jsonl",
            ),
            "",
            table(("stage", "utterances", "p50", "p95"), rows),
        )
    )
