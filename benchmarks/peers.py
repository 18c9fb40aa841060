"""Score another model on the dev sets of this project, beside a bundle.

    python -m benchmarks.peers face MODEL.onnx --data data --labels angry,disgust,fear,...
    python -m benchmarks.peers text NAME_OR_FOLDER --data data --past 1 --bundle bundles/compact

face: any ONNX that takes one picture of a face and gives a number for each class, on the
    PublicTest pictures of FER2013 (--data/fer2013), against FER2013's label and FERPlus's
    majority of seven. Input shape, layout and type are read from the file. What is not in it
    must be said: the order of the classes, and how pixels are scaled. When figures are near
    chance, look at --range, --mean, --std and the order of --labels first.
text: any sequence classifier of transformers, as a folder or by its name on the Hugging Face
    hub (safetensors alone, and none of its code is run), or a folder with model.onnx,
    tokenizer.json and config.json; on the words of MELD's dev split (--data/meld).

Classes are mapped to MELD's seven emotions by known synonyms (happy is joy); where a name is
another one, say which: --labels delight=joy,gloom=sadness,love=- . A class without counterpart,
such as contempt, is left out, and the probabilities of the others are made to sum to 1.
Models that are known, with the words to type: docs/peers.md. The bundle is scored by the same
functions as in training.evaluate, on the same examples.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.peer_faces import (
    LAYOUTS,
    RANGES,
    FaceOptions,
    score_bundle_faces,
    score_face_model,
)
from benchmarks.peer_labels import split_names
from benchmarks.peer_results import Result, print_results
from benchmarks.peer_texts import (
    TextOptions,
    read_texts,
    score_bundle_texts,
    score_text_model,
)
from engine.arguments import Parser, run_command
from stream.errors import UserError
from training.evaluation.examples import read_dev_faces
from training.progress import Results

ONLY = {
    "face": ("size", "channels", "layout", "range", "mean", "std"),
    "text": ("past", "separator"),
}
"""Options that only one kind of model has."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, score, and print; 2 for a mistake of the user's."""
    options = _parse(arguments)
    torch.set_num_threads(1)
    try:
        _refuse_contradictions(options)
        results = _faces(options) if options.kind == "face" else _texts(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        models = [result.to_dict() for result in results]
        document = {"kind": options.kind, "limit": options.limit, "models": models}
        print(json.dumps(document, allow_nan=False))
        return 0
    where = {"face": "FER2013 PublicTest", "text": "MELD dev, words"}[options.kind]
    title = where if options.limit is None else f"{where}, the first {options.limit} alone"
    print_results(title, {"face": "face", "text": "utterance"}[options.kind], results, Results())
    return 0


def _faces(options: argparse.Namespace) -> list[Result]:
    if options.labels is None:
        raise UserError(
            "--labels is missing: an ONNX does not name its classes; give them in the order of "
            "its output, as in --labels angry,disgust,fear,happy,sad,surprise,neutral"
        )
    said = FaceOptions(
        size=options.size,
        channels=options.channels,
        layout=options.layout,
        range=options.range,
        mean=options.mean or FaceOptions.mean,
        std=options.std or FaceOptions.std,
        output=options.output,
        kind=options.numbers,
    )
    data = read_dev_faces(options.data / "fer2013").choose(slice(options.limit))
    results = [score_face_model(Path(options.model), options.labels, said, data)]
    if options.bundle is not None:
        results.append(score_bundle_faces(options.bundle, data, options.base_model))
    return results


def _texts(options: argparse.Namespace) -> list[Result]:
    said = TextOptions(
        past=options.past or 0,
        separator=options.separator,
        output=options.output,
        kind=options.numbers,
    )
    conversations = read_texts(options.data, options.limit)
    results = [score_text_model(options.model, options.labels or (), said, conversations)]
    if options.bundle is not None:
        results.append(score_bundle_texts(options.bundle, conversations, options.base_model))
    return results


def _refuse_contradictions(options: argparse.Namespace) -> None:
    for kind, names in ONLY.items():
        for name in names:
            if kind != options.kind and getattr(options, name) is not None:
                raise UserError(f"--{name} is for {kind} models: leave it out")
    for name in ("limit", "size"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} {value}: at least 1")
    if options.past is not None and options.past < 0:
        raise UserError(f"--past {options.past}: 0 or more")
    if options.separator is not None and not options.past:
        raise UserError("--separator stands between utterances: give --past too")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", choices=tuple(ONLY), metavar="KIND", help="face or text")
    parser.add_argument(
        "model", metavar="MODEL", help="an ONNX; for text also a folder or a name on the hub"
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with fer2013/ or meld/ (docs/data.md)"
    )
    parser.add_argument("--bundle", type=Path, help="score this beside it: bundles/compact")
    parser.add_argument("--base-model", help="base LLM of the bundle, instead of the one it names")
    parser.add_argument("--limit", type=int, help="score only so many examples, for a quick look")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    _add_outputs(parser)
    _add_inputs(parser)
    return parser.parse_args(arguments)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what comes out of the model")
    group.add_argument(
        "--labels",
        type=split_names,
        help="its classes in order, between commas; of a text model only to overrule its config",
    )
    group.add_argument("--output", help="name of the ONNX output with the classes, of several")
    numbers = group.add_mutually_exclusive_group()
    for kind, wording in (
        ("logits", "its numbers are scores for a softmax; looked at if nothing is said"),
        ("probabilities", "its numbers sum to 1"),
        ("sigmoid", "its numbers are scores of classes that do not exclude each other"),
    ):
        numbers.add_argument(
            f"--{kind}", dest="numbers", action="store_const", const=kind, help=wording
        )


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    face = parser.add_argument_group("how a face is put to it (read from the ONNX where it says)")
    face.add_argument("--size", type=int, help="side of its pictures")
    face.add_argument("--channels", type=int, choices=(1, 3), help="1 grey, 3 RGB")
    face.add_argument("--layout", choices=LAYOUTS, help="channels first or last")
    face.add_argument(
        "--range", choices=tuple(RANGES), help="of its pixels; default 0..1, of uint8 0..255"
    )
    face.add_argument(
        "--mean", type=_numbers, help="then subtracted: 0.5, or 0.485,0.456,0.406 by channel"
    )
    face.add_argument("--std", type=_numbers, help="then divided by, likewise")
    text = parser.add_argument_group("how an utterance is put to it")
    text.add_argument("--past", type=int, help="utterances of the dialogue before it; default 0")
    text.add_argument(
        "--separator", help="between utterances; default: the tokenizer's own, or a space"
    )


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number, nor numbers with commas"
        ) from error


if __name__ == "__main__":
    run_command(main)
