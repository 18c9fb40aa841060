"""How near the contributions of voice and face come to reading the turn anew without them.

    python -m benchmarks.contributions bundles/compact --data data

The live engine lets the token at which the label is scored not see a modality; the words of the
turn are not read anew (`engine.model.reader.DialogueReader.contrast`). Here both are done for
composed dev turns: MELD's words with a voice and a face of the same label.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from engine.arguments import Parser, run_command
from engine.model.model import TurnInputs
from engine.model.reader import DialogueReader
from engine.model.recognizer import Recognizer, read_spec, used_modalities, without
from export.models import resolve
from stream.errors import UserError
from training.evaluation.examples import Request, composed

SENSES = ("audio", "video")
TURNS = 200
SEED = 1


@torch.inference_mode()
def contributions(
    recognizer: Recognizer, history: Sequence[TurnInputs], turn: TurnInputs
) -> tuple[list[float], list[float]]:
    """Of voice and face, as the engine tells them and as reading the turn anew does."""
    found = recognizer.predict(history, turn, SENSES, dialogue="bench")
    variants = [turn, *(without(turn, name) for name in SENSES)]
    scores = DialogueReader(recognizer.model)(history, variants).cpu()
    exact = recognizer.calibration.probabilities(scores, [used_modalities(v) for v in variants])
    winner = int(exact[0].argmax())
    told, anew = ((rows[0, winner] - rows[1:, winner]).tolist() for rows in (found, exact))
    return told, anew


def compare(told: NDArray[np.float64], anew: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    """Figures per sense from (n, 2) contributions."""
    return {
        name: {
            "mean size": float(np.abs(exact).mean()),
            "mean difference": float(np.abs(found - exact).mean()),
            "95th percentile": float(np.quantile(np.abs(found - exact), 0.95)),
            "correlation": float(np.corrcoef(found, exact)[0, 1]),
        }
        for name, found, exact in zip(SENSES, told.T, anew.T, strict=True)
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, compare, print."""
    parser = Parser(
        prog="python -m benchmarks.contributions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of corpora")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--turns", type=int, default=TURNS, help=f"how many (default: {TURNS})")
    options = parser.parse_args(arguments)
    try:
        results = measure(options.bundle, options.data, options.cache, options.turns)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(results, indent=2))
    return 0


def measure(bundle: Path, data: Path, cache: Path, turns: int) -> dict[str, dict[str, float]]:
    """Figures over some turns, chosen at random.

    Raises:
        UserError: A corpus or the bundle is not there.
    """
    base = resolve(read_spec(bundle).llm.base)
    recognizer = Recognizer.load(bundle, base_model=base, face_detector=None)
    request = Request(
        data / "meld" / "dev_sent_emo.csv",
        recognizer.encoders,
        recognizer.labels,
        cache,
        speakers="dev",
        faces=data / "fer2013",
        speech=(data,),
    )
    dialogues = composed(request).dialogues
    places = [(d, i) for d, dialogue in enumerate(dialogues) for i in range(len(dialogue))]
    found = [
        contributions(recognizer, dialogues[d][:i], dialogues[d][i])
        for d, i in track(Random(SEED).sample(places, min(turns, len(places))))
        if set(SENSES) < set(used_modalities(dialogues[d][i]))
    ]
    told, anew = (np.array(column) for column in zip(*found, strict=True))
    return compare(told, anew)


if __name__ == "__main__":
    run_command(main)
