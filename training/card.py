"""Score a bundle on the dev sets and write its model card.

    python -m training.card compact --data FOLDER [--bundle bundles/compact]

Every figure in the card stands below the command of `training.evaluate` that prints it.
A corpus that is not in FOLDER is said to be not measured. The card belongs to the
bundle, so the manifest is written again.
"""

from __future__ import annotations

import dataclasses
import json
import string
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from safetensors import safe_open

from engine.arguments import run_command
from engine.model.calibration import Calibration
from engine.model.manifest import Manifest, verify_bundle
from engine.model.recognizer import Recognizer, read_spec
from export.bundle import rewriting, write_manifest
from export.models import resolve
from training.calibrate import REPORT
from training.cards.dev_sets import NOISE, Measured, evaluations, measure
from training.cards.inputs import Inputs
from training.cards.markdown import percent, table
from training.cards.sections import sections, write_pictures
from training.cards.seeds import read_seeds
from training.cards.text import TEMPLATE
from training.evaluation.training_record import read_training_record
from training.latency import latencies, read_events
from training.progress import console
from training.script import Job, run_script, script_parser
from training.settings import (
    Composition,
    Distillation,
    Dropout,
    Pretuning,
    Settings,
    Stage1Training,
    Stage2Training,
)

CARD = "MODEL_CARD.md"
FERPLUS_ROWS = {
    "ferplus": "the same, against FERPlus's majority of 7",
    "ferplus_agreed": "the same, where more than half agree on it (FERPlus's own rule)",
}
"""Rows of the summary for second annotations of faces, by name."""

CONTENTS = {
    "calibration.json": "temperatures, biases, thresholds for abstaining",
    REPORT: "cross-fitted figures of the calibration",
    "card_confidence.png": "picture of this card",
    "card_noise.png": "picture of this card",
    "card_reliability.png": "picture of this card",
    "face.safetensors": "face encoder",
    "fusion.safetensors": "adapters, absent tokens, weights of the evidence",
    "lora.safetensors": "LoRA, float16",
    "prosody.safetensors": "prosody encoder",
    "spec.json": "every number, label and text of the model",
    "speech.safetensors": "speech encoder",
    "training.json": "recipe, seed, cost and epochs of the training",
}
"""What is in each file of a bundle."""


def write_card(
    bundle: Path,
    results: Sequence[Measured],
    settings: Settings,
    inputs: Inputs | None = None,
) -> Manifest:
    """Write the card of a bundle that was trained with `settings`, and seal the bundle again.

    Args:
        bundle: Its folder; pictures are written there too.
        results: Of the dev sets.
        settings: Of the training.
        inputs: What else was measured; what was not is said to be missing.
    """
    inputs = inputs or Inputs()
    with rewriting(bundle) as changed:
        write_pictures(changed, results, inputs)
        manifest = write_manifest(changed)  # with the pictures
        text = _text(changed, _shown(bundle), results, settings, inputs, manifest)
        (changed / CARD).write_text(text, encoding="utf-8")
    return verify_bundle(bundle)


def _text(
    bundle: Path,
    shown: str,
    results: Sequence[Measured],
    settings: Settings,
    inputs: Inputs,
    manifest: Manifest,
) -> str:
    spec = read_spec(bundle)
    calibration = json.loads((bundle / "calibration.json").read_text(encoding="utf-8"))
    values = {
        "name": spec.name,
        "labels": ", ".join(spec.labels),
        "feature_set": spec.audio.feature_set,
        "window_seconds": f"{spec.audio.window_seconds:g}",
        "lora_rank": spec.llm.lora_rank,
        "lora_first_layer": spec.llm.lora_first_layer,
        "face_settings": _recorded(bundle, "face"),
        "speech_settings": _recorded(bundle, "speech"),
        "stage1": _stage1(settings.stage1),
        "pretune_settings": _settings(settings.pretune),
        "distillation_settings": _settings(settings.distillation),
        "stage2_settings": _settings(settings.stage2),
        "composition_settings": _settings(settings.composition),
        "dropout_settings": _settings(settings.dropout),
        "temperatures": _list(Calibration.from_dict(calibration).temperatures),
        **sections(bundle, results, inputs, shown),
        "summary": summary(results),
        "sections": "\n\n".join(_section(result, shown) for result in results),
        "sizes": _sizes(manifest),
        "parameters": _parameters(bundle),
    }
    return string.Template(TEMPLATE).substitute(values)


def summary(results: Iterable[Measured]) -> str:
    """One line of figures for each evaluation."""
    rows = []
    for result in results:
        title, scores = result.evaluation.title, result.scores
        if scores is None:
            rows.append((title, *["not measured"] + [""] * 4))
            continue
        figures = (scores.weighted_f1, scores.unweighted_accuracy, scores.accuracy, scores.ece)
        rows.append((title, str(scores.n), *map(percent, figures)))
        for name, wording in FERPLUS_ROWS.items():
            if f"{name}_accuracy" in result.extra:
                accuracy = percent(float(result.extra[f"{name}_accuracy"]))
                rows.append((wording, str(result.extra[f"{name}_n"]), "", "", accuracy, ""))
    heads = ("data", "examples", "weighted F1", "unweighted accuracy", "accuracy", "ECE")
    return table(heads, rows)


def _section(result: Measured, bundle: str) -> str:
    """Command and figures per label of one evaluation."""
    lines = [f"### {result.evaluation.title}", "", "```"]
    lines += [result.evaluation.command(bundle), "```", ""]
    if result.scores is None:
        return "\n".join([*lines, "Not measured: the corpus was not there."])
    rows = [
        (label, *map(percent, (one.precision, one.recall, one.f1)), str(one.support))
        for label, one in result.scores.per_class.items()
        if one.support
    ]
    lines.append(table(("emotion", "precision", "recall", "F1", "examples"), rows))
    absent = [label for label, one in result.scores.per_class.items() if not one.support]
    notes = [f"The data have no {', '.join(absent)}."] if absent else []
    if "left_out" in result.extra:
        notes.append(
            f"Left out, without a counterpart among the labels: {result.extra['left_out']}."
        )
    return "\n".join([*lines, *(["", " ".join(notes)] if notes else [])])


def _sizes(manifest: Manifest) -> str:
    files = {name: record.size for name, record in manifest.files.items() if name != CARD}
    rows = [(f"`{name}`", CONTENTS.get(name, ""), _megabytes(size)) for name, size in files.items()]
    rows.append(("together", "", _megabytes(sum(files.values()))))
    return table(("file", "what", "size"), rows)


def _parameters(bundle: Path) -> str:
    """Numbers in each file of weights, statistics of normalisation among them."""
    counts = []
    for path in sorted(bundle.glob("*.safetensors")):
        with safe_open(path, framework="np") as file:
            shapes = [file.get_slice(key).get_shape() for key in file.keys()]
        count = sum(_product(shape) for shape in shapes)
        counts.append(f"{CONTENTS.get(path.name, path.name)} {count / 1e6:.2f} million")
    return f"Numbers in the weights: {'; '.join(counts)}."


def _product(shape: Iterable[int]) -> int:
    total = 1
    for side in shape:
        total *= side
    return total


def _shown(bundle: Path) -> str:
    """The bundle as a reader has it, whatever folder it was written in."""
    return f"bundles/{bundle.name}" if bundle.is_absolute() else bundle.as_posix()


def _stage1(settings: Stage1Training) -> str:
    if settings.epochs == 0:
        return "is not trained"
    return f"was trained before it. Settings: {_settings(settings)}"


def _recorded(bundle: Path, encoder: str) -> str:
    """The settings that an encoder was trained with, by the bundle's own record."""
    record = read_training_record(bundle)
    known = {} if record is None else record.encoders.get(encoder, {}).get("settings", {})
    return _list(known) if known else "not recorded"


def _settings(
    options: Pretuning | Distillation | Stage1Training | Stage2Training | Composition | Dropout,
) -> str:
    """The values of a dataclass in words."""
    return _list(dataclasses.asdict(options))


def _list(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 5_000 else f"{size} bytes"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, score, and write the card."""
    parser = script_parser("training.card", __doc__, needs="the corpora to score on")
    parser.add_argument("--bundle", type=Path, default=Path("bundles/compact"))
    parser.add_argument(
        "--seeds-from",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="what training.evaluate SEED1 SEED2 ... --json printed, one file for each data set",
    )
    parser.add_argument(
        "--events",
        type=Path,
        metavar="FILE",
        help="what run_live.py --file demo/talk.mp4 --jsonl wrote, for the latency",
    )
    return run_script(parser, arguments, _run)


def _run(job: Job) -> None:
    bundle: Path = job.options.bundle
    verify_bundle(bundle)
    events = job.options.events
    seeds = tuple(read_seeds(path) for path in job.options.seeds_from)  # before hours of scoring
    stages = tuple(latencies(read_events(events))) if events else ()
    recognizer = Recognizer.load(
        bundle,
        base_model=resolve(read_spec(bundle).llm.base),
        face_detector=None,
        threads=job.options.threads,
    )
    chosen = evaluations(job.recipe.settings.composition.mismatched)
    results = measure(recognizer, job.data, job.cache, chosen)
    noise = tuple(measure(recognizer, job.data, job.cache, NOISE))
    inputs = Inputs(noise, seeds, stages)
    manifest = write_card(bundle, results, job.recipe.settings, inputs)
    print(summary(results))
    console.print(f"{bundle / CARD} written; the bundle is now {manifest.sha256}")


if __name__ == "__main__":
    run_command(main)
