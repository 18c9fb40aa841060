"""Score bundles on a corpus.

    python -m training.evaluate BUNDLE [BUNDLE ...] DATASET PATH [--json] [--report FILE.html]

    meld       a csv: words, with the measured prosody beside it if the bundle reads it;
               or a folder in the raw layout: words, voices and pictures
    iemocap    a folder in the release's layout, likewise
    emorynlp   a csv or a folder: words
    manifest   a JSONL manifest of your own data, or its folder (docs/data.md)
    fer2013    a parquet, or fer2013.csv: faces, against FER2013's label and FERPlus's majority
    ravdess    a folder: voices          emodb, nemo   likewise
    composed   a csv of MELD with --faces and --speech: all three, joined by label

A corpus is scored with the modalities that it has, the others absent; the numbers of
`composed` are not MELD results. Of a folder the dev split is scored; test must be asked
for with --split test. Only the past of a conversation is seen. Labels that the bundle
does not have are mapped where they have a counterpart, or left out and counted.

Several bundles are one system trained with several seeds: mean and deviation. Intervals
are 95 %, from resampled dialogues. See docs/evaluation.md.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from engine.arguments import Parser, run_command
from engine.model.encoders import Encoders
from engine.model.recognizer import Recognizer
from engine.model.spec import MODALITIES
from export.models import cache_folder
from stream.errors import UserError
from training.calibration.halves import HALVES
from training.datasets.corpus import SPLITS
from training.evaluation import examples
from training.evaluation.bootstrap import LEAST_DIALOGUES
from training.evaluation.conversations import CONVERSATIONS
from training.evaluation.document import About, Evaluation, to_document
from training.evaluation.metrics import Scores
from training.evaluation.page import confusion_picture, evaluation_page
from training.evaluation.predict import remove
from training.evaluation.prediction_file import require_suffix, write_predictions
from training.evaluation.report import (
    print_comparison,
    print_coverage,
    print_genders,
    print_selective,
    print_table,
)
from training.evaluation.scoring import Extra, score
from training.evaluation.session import WORDS, Session
from training.html import write_page
from training.progress import Results


def evaluate(
    recognizer: Recognizer, dataset: str, request: examples.Request, without: Sequence[str] = ()
) -> tuple[Scores, Extra]:
    """Score a recogniser that is loaded.

    Returns:
        The scores, and figures that only this corpus has: `left_out` turns whose emotion
        the bundle does not know, and `ferplus_accuracy` for fer2013.

    Raises:
        UserError: The corpus cannot be read, or has no label that the recogniser knows.
    """
    chosen = remove(examples.read(dataset, request), without)
    scored = score(recognizer.model, recognizer.calibration, chosen)
    return scored.predictions.scores(), scored.extra


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, score, and print; 2 for a mistake of the user's."""
    options = _parse(arguments)
    try:
        _refuse_contradictions(options)
        evaluation = _session(options, sys.argv[1:] if arguments is None else arguments).run()
        document = to_document(evaluation)
        # Printed first: no file that cannot be written costs the figures.
        if options.json:
            print(json.dumps(document, allow_nan=False))
        else:
            _print(evaluation, Results(), risk_coverage=options.risk_coverage)
        _write_files(document, options.report, options.png)
        _write_predictions(options.predictions, evaluation)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _session(options: argparse.Namespace, words: Sequence[str]) -> Session:
    about = About(
        command=shlex.join(["python", "-m", "training.evaluate", *words]),
        dataset=options.dataset,
        path=str(options.path),
        split=None,
        without=tuple(options.without),
        zero_shot=options.zero_shot,
        words=options.transcripts,
        noise=options.noise,
        punctuated=options.punctuated,
        degraded=options.degraded,
    )

    def request(encoders: Encoders, labels: tuple[str, ...]) -> examples.Request:
        return examples.Request(
            path=options.path,
            encoders=encoders,
            labels=labels,
            cache=options.cache,
            speakers=options.speakers,
            faces=options.faces,
            speech=tuple(options.speech or ()),
            seed=options.seed,
            half=options.half,
            mismatched=options.mismatched,
            degraded=options.degraded,
        )

    return Session(
        about=about,
        bundles=tuple(options.bundles),
        path=options.path,
        cache=options.cache,
        request=request,
        split=options.split,
        prosody=options.prosody,
        jobs=options.jobs,
        base_model=options.base_model,
        asr_model=options.asr_model,
        threads=options.threads,
        seed=options.seed,
    )


def _refuse_contradictions(options: argparse.Namespace) -> None:
    conversations = options.dataset in CONVERSATIONS
    known = ", ".join(CONVERSATIONS)
    if options.split and not conversations:
        raise UserError(f"--split: {options.dataset} has none here; it is for {known}")
    if options.transcripts != "human" and not conversations:
        raise UserError(f"--transcripts {options.transcripts}: only for {known}")
    if options.noise is not None and not conversations:
        raise UserError(f"--noise: only for {known}")
    if options.noise is not None and options.transcripts != "human":
        raise UserError("--noise stands for a transcriber: leave --transcripts out")
    if options.punctuated and options.noise is None:
        raise UserError("--punctuated says how the words of --noise are written: give that too")
    if options.half is not None and options.dataset != "composed":
        raise UserError("--half: only for composed")
    if options.mismatched and options.dataset != "composed":
        raise UserError("--mismatched: only for composed")
    if options.degraded and options.dataset != "fer2013":
        raise UserError("--degraded: only for fer2013")
    if options.zero_shot and not conversations:
        raise UserError(f"--zero-shot reads words alone: give one of {known}")
    if options.predictions is not None:
        require_suffix(options.predictions)
    files = {"report": options.report, "png": options.png, "predictions": options.predictions}
    for flag, path in files.items():
        if path is not None and path.is_dir():
            raise UserError(f"--{flag} {path} is a folder: give the name of a file")


def _print(evaluation: Evaluation, console: Console, *, risk_coverage: bool) -> None:
    summary = evaluation.summary
    print_coverage(summary.runs[0].scored.modalities, summary.mean.n, console)
    print_table(summary.mean, console, summary.extra, summary.intervals, summary.deviation)
    if summary.intervals is None:
        count = summary.runs[0].scored.predictions.dialogue_count
        console.print(f"too few dialogues ({count}) for intervals: at least {LEAST_DIALOGUES}")
    if summary.by_gender:
        print_genders(summary.by_gender, console)
    if risk_coverage:
        print_selective(summary.selective, console)
    if evaluation.asr is not None:
        print_comparison(summary.mean, evaluation.asr.mean, console, evaluation.difference or {})
    if evaluation.heard is not None and evaluation.heard.errors.rate is not None:
        console.print(f"word error rate {100 * evaluation.heard.errors.rate:.1f} %")


def _write_files(document: dict[str, object], report: Path | None, png: Path | None) -> None:
    try:
        if report is not None:
            write_page(report, evaluation_page(document))
        if png is not None:
            png.parent.mkdir(parents=True, exist_ok=True)
            png.write_bytes(confusion_picture(document))
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}; the figures are above") from error


def _write_predictions(path: Path | None, evaluation: Evaluation) -> None:
    try:
        if path is not None:
            write_predictions(path, evaluation)
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}; the figures are above") from error


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m training.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "bundles", type=Path, nargs="+", metavar="BUNDLE", help="folder, e.g. bundles/compact"
    )
    names = ", ".join(examples.DATASETS)
    parser.add_argument("dataset", choices=examples.DATASETS, metavar="DATASET", help=names)
    parser.add_argument("path", type=Path, metavar="PATH", help="file or folder of the corpus")
    _add_output(parser)
    _add_what(parser)
    _add_machine(parser)
    return parser.parse_intermixed_args(arguments)


def _add_output(parser: argparse.ArgumentParser) -> None:
    output = parser.add_argument_group("what comes out")
    output.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    output.add_argument("--report", type=Path, metavar="FILE", help="also write an HTML report")
    output.add_argument(
        "--risk-coverage",
        action="store_true",
        help="also print accuracy by the share of turns that is answered (JSON and report have it)",
    )
    output.add_argument(
        "--predictions",
        type=Path,
        metavar="FILE",
        help="also write what was said of every turn, and from what, to a .csv or .jsonl",
    )
    output.add_argument("--png", type=Path, metavar="FILE", help="also write the confusion matrix")


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what is scored")
    what.add_argument("--split", choices=SPLITS, help="of a corpus's folder; dev if not given")
    what.add_argument(
        "--without", action="append", default=[], choices=MODALITIES, help="leave a modality out"
    )
    what.add_argument(
        "--zero-shot",
        action="store_true",
        help="the base LLM without LoRA, adapters and encoders: words alone, not calibrated",
    )
    what.add_argument(
        "--transcripts",
        choices=WORDS,
        default="human",
        help="words of the corpus, of the live transcriber from the clips' sound, or both",
    )
    what.add_argument(
        "--speakers", help="of speech: 17-20,TP0 or the corpus's own dev or test speakers"
    )
    what.add_argument("--faces", type=Path, help="FER2013 for composed")
    what.add_argument(
        "--speech", type=Path, nargs="+", help="folders of speech corpora for composed"
    )
    what.add_argument(
        "--half",
        type=int,
        choices=HALVES,
        help="of the speakers and pictures for composed: dev's first is what a bundle's weights of "
        "the evidence and its calibration were fitted on",
    )
    what.add_argument(
        "--mismatched",
        type=_rate,
        default=0.0,
        metavar="RATE",
        help="share of voices, and of faces, for composed that are of the label of whatever turn "
        "of the dialogue: people say one thing and look another",
    )
    what.add_argument(
        "--noise",
        type=_rate,
        metavar="RATE",
        help="words as a recogniser writes them: lower case, no punctuation, this share wrong",
    )
    what.add_argument(
        "--punctuated",
        action="store_true",
        help="with --noise: case and punctuation stay, as Whisper writes them",
    )
    what.add_argument(
        "--degraded",
        action="store_true",
        help="pictures of fer2013 turned, shifted, relit, blurred, coarsened and partly covered at "
        "random, as a detector, a webcam and a codec leave them",
    )
    what.add_argument(
        "--prosody", type=Path, help="measured prosody of a csv of MELD; default: found beside it"
    )
    what.add_argument(
        "--seed", type=int, default=1, help="of the composition, the noise and --degraded"
    )


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:  # false for NaN too
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 0 to 1")
    return value


def _add_machine(parser: argparse.ArgumentParser) -> None:
    machine = parser.add_argument_group("how")
    machine.add_argument("--base-model", help="use this base LLM instead of the bundle's own name")
    machine.add_argument(
        "--asr-model", default="whisper-tiny.en", help="transcriber of --transcripts"
    )
    machine.add_argument("--threads", type=int, default=2)
    machine.add_argument("--jobs", type=int, default=2, help="processes that read clips")
    machine.add_argument(
        "--cache",
        type=Path,
        default=cache_folder() / "features",
        help="of what is computed from media",
    )


if __name__ == "__main__":
    run_command(main)
