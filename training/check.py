"""Check a copy of a corpus: its counts, and every clip of it.

Counts utterances per split and class and compares them with the published numbers; reads the clip
of every utterance and reports which are missing, empty, corrupt, cut wrongly, silent, or without
sound or pictures; and says which utterances will have to do without sound or pictures. Nothing is
changed.

Faults that every copy of a release has are recognised and marked as known.

Exit codes: 0, as published, at most with the known faults; 1, with other faults; 2, no such corpus
in the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from stream.errors import UserError
from training.checks.counts import count, differences
from training.checks.extras import find_extras
from training.checks.faults import MODALITIES
from training.checks.result import Finding, Result
from training.checks.table import text
from training.checks.targets import Target, check_targets, find_targets, modalities
from training.datasets.corpora import CORPORA, open_corpus
from training.datasets.corpus import Corpus
from training.progress import progress_bar


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a copy; 0 if it is as published, 1 with unknown faults, 2 for a wrong folder."""
    options = _parser().parse_args(arguments)
    try:
        result = check(options.dataset, options.folder, options.jobs, partial=options.partial)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result.to_json(), indent=2) if options.json else text(result))
    return 0 if result.usable else 1


def check(dataset: str, folder: Path, jobs: int = 1, *, partial: bool = False) -> Result:
    """Check a copy of a corpus.

    Args:
        dataset: Key in `CORPORA`.
        folder: The copy.
        jobs: Processes that read clips.
        partial: Whether it is a part of the corpus on purpose, so that counts are not compared.

    Raises:
        UserError: If the folder is not in the corpus's layout.
    """
    corpus = open_corpus(dataset, folder)
    counts = count(corpus)
    return Result(
        corpus=dataset,
        folder=folder,
        counts=counts,
        differences=() if partial else tuple(differences(dataset, counts)),
        clips={split: _clips(corpus, split) for split in corpus.splits},
        findings=tuple(_probe_all(list(find_targets(corpus)), jobs)),
        extras=find_extras(corpus),
    )


def _clips(corpus: Corpus, split: str) -> dict[str, int]:
    present = Counter(
        one for utterance in corpus.utterances(split) for one in modalities(utterance)
    )
    return {modality: present[modality] for modality in MODALITIES}


def _probe_all(targets: Sequence[Target], jobs: int) -> list[Finding]:
    findings: list[Finding] = []
    if not targets:
        return findings
    with progress_bar() as progress:
        task = progress.add_task("reading clips", total=len(targets), note="")
        for target, faults in check_targets(targets, jobs):
            findings += [Finding(target.key, fault) for fault in faults]
            note = f"{len(findings)} faults" if findings else ""
            progress.update(task, advance=1, note=note)
    return findings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", choices=CORPORA, help="which corpus; manifest is own data")
    parser.add_argument("folder", type=Path, help="the copy, in the layout of docs/data.md")
    parser.add_argument("--json", action="store_true", help="one JSON object with all faults")
    parser.add_argument(
        "--jobs",
        type=_jobs,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes that read clips (default: one per core)",
    )
    parser.add_argument(
        "--partial",
        action="store_true",
        help="the copy is a part on purpose: do not compare its numbers with the published ones",
    )
    return parser


def _jobs(text: str) -> int:
    try:
        jobs = int(text)
    except ValueError:
        jobs = 0
    if not 1 <= jobs <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1")
    return jobs


if __name__ == "__main__":
    raise SystemExit(main())
