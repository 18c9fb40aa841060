"""What a bundle said of every turn, as a file of rows: CSV or JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stream.errors import UserError
from training.evaluation.document import Evaluation
from training.evaluation.summary import Run

SUFFIXES = (".csv", ".jsonl")


def require_suffix(path: Path) -> None:
    """Refuse a file of a kind that is not written.

    Raises:
        UserError: Its name does not end in one of `SUFFIXES`.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(f"--predictions {path}: give a name that ends in {' or '.join(SUFFIXES)}")


def write_predictions(path: Path, evaluation: Evaluation) -> None:
    """Write a row for every scored turn of every bundle.

    Raises:
        OSError: The file cannot be written.
    """
    rows = list(_rows(evaluation))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            file.writelines(json.dumps(row) + "\n" for row in rows)
            return
        flat = [_flat(row) for row in rows]
        writer = csv.DictWriter(file, flat[0])
        writer.writeheader()
        writer.writerows(flat)


def _rows(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    words = evaluation.about.words
    for run in evaluation.summary.runs:
        yield from _rows_of(run, "asr" if words == "asr" else "human")
    for run in evaluation.asr.runs if evaluation.asr is not None else ():
        yield from _rows_of(run, "asr")


def _rows_of(run: Run, words: str) -> Iterator[dict[str, Any]]:
    scored = run.scored
    predictions, labels = scored.predictions, scored.predictions.labels
    for row, (truth, given) in enumerate(
        zip(predictions.truth.tolist(), predictions.probabilities.tolist(), strict=True)
    ):
        name = scored.names[row] if scored.names else None
        best = max(range(len(labels)), key=given.__getitem__)
        yield {
            "bundle": run.bundle,
            "words": words,
            "split": name.split if name else "",
            "dialogue": name.dialogue if name else int(predictions.dialogues[row]),
            "utterance": name.utterance if name else 0,
            "truth": labels[truth],
            "prediction": labels[best],
            "modalities": list(scored.used[row]),
            "probabilities": dict(zip(labels, given, strict=True)),
        }


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose values are plain: modalities joined by `+`, a column for each label."""
    plain = {name: value for name, value in row.items() if name != "probabilities"}
    plain["modalities"] = "+".join(row["modalities"])
    return plain | {f"p_{label}": round(value, 6) for label, value in row["probabilities"].items()}
