"""Score a bundle on a corpus.

    python -m training.evaluate BUNDLE DATASET PATH [--json]

    meld       a csv of MELD: words
    emorynlp   a csv of EmoryNLP: words; emotions without a MELD counterpart are left out
    fer2013    a parquet, or fer2013.csv: faces, against FER2013's label and FERPlus's majority
    ravdess    a folder: voices          emodb, nemo   likewise
    composed   a csv of MELD with --faces and --speech: all three, joined by label

A corpus is scored with the modality that it has, the others absent; the numbers of
`composed` are not MELD results.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from engine.model.recognizer import Recognizer, read_spec
from engine.model.spec import MODALITIES
from export.models import cache_folder, resolve
from stream.errors import UserError
from training import examples
from training.metrics import Scores, scores
from training.predict import probabilities, remove
from training.report import print_table, to_json

DATASETS = ("meld", "emorynlp", "fer2013", "ravdess", "emodb", "nemo", "composed")
Extra = dict[str, float | int | str]


def evaluate(
    recognizer: Recognizer, dataset: str, request: examples.Request, without: Sequence[str] = ()
) -> tuple[Scores, Extra]:
    """Score a recogniser.

    Returns:
        The scores, and figures that only this corpus has: `left_out` turns whose emotion
        the bundle does not know, and `ferplus_accuracy` for fer2013.
    """
    extra: Extra = {}
    if dataset == "fer2013":
        data = examples.read_dev_faces(request.path)
        chosen = examples.faces(request, data)
    elif dataset in examples.SPEECH:
        chosen = examples.speech(request, examples.SPEECH[dataset])
    else:
        make = {
            "meld": examples.meld,
            "emorynlp": examples.emorynlp,
            "composed": examples.composed,
        }
        chosen = make[dataset](request)
    predicted = probabilities(recognizer, remove(chosen, without).dialogues).numpy()
    truth = np.array(chosen.truth)
    if (truth < 0).any():
        extra["left_out"] = int((truth < 0).sum())
    if dataset == "fer2013":
        majority = examples.ferplus_truth(data, recognizer.labels)
        known = majority >= 0
        extra["ferplus_accuracy"] = float((predicted.argmax(1) == majority)[known].mean())
        extra["ferplus_n"] = int(known.sum())
    known = truth >= 0
    return scores(recognizer.labels, truth[known], predicted[known]), extra


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, score, and print."""
    options = _parse(arguments)
    try:
        spec = read_spec(options.bundle)
        recognizer = Recognizer.load(
            options.bundle,
            base_model=resolve(options.base_model or spec.llm.base),
            face_detector=None,
            threads=options.threads,
        )
        request = examples.Request(
            path=options.path,
            encoders=recognizer.encoders,
            labels=recognizer.labels,
            cache=options.cache,
            speakers=options.speakers,
            faces=options.faces,
            speech=tuple(options.speech or ()),
            seed=options.seed,
        )
        result, extra = evaluate(recognizer, options.dataset, request, options.without)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(to_json(result, extra)))
    else:
        print_table(result, Console(), extra)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder, e.g. bundles/compact")
    parser.add_argument("dataset", choices=DATASETS, metavar="DATASET", help=", ".join(DATASETS))
    parser.add_argument("path", type=Path, metavar="PATH", help="file or folder of the corpus")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument(
        "--without", action="append", default=[], choices=MODALITIES, help="leave a modality out"
    )
    parser.add_argument(
        "--speakers", help="of speech: 17-20,TP0 or the corpus's own dev or test speakers"
    )
    parser.add_argument("--faces", type=Path, help="FER2013 for composed")
    parser.add_argument(
        "--speech", type=Path, nargs="+", help="folders of speech corpora for composed"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the composition")
    parser.add_argument("--base-model", help="use this base LLM instead of the bundle's own name")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--cache", type=Path, default=cache_folder() / "features", help="of openSMILE functionals"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
