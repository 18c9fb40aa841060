"""Checking a whole copy: counts, clips, and files of nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from training.checks.counts import count, differences
from training.checks.extras import find_extras
from training.checks.faults import MODALITIES, ClipFault
from training.checks.result import Finding, Result
from training.checks.targets import Target, check_targets, find_targets, modalities
from training.datasets.corpora import open_corpus
from training.datasets.corpus import Corpus
from training.describe.description import UtteranceKey
from training.progress import progress_bar


def check(dataset: str, folder: Path, jobs: int = 1, *, partial: bool = False) -> Result:
    """Check a copy of a corpus.

    Args:
        dataset: Key in `CORPORA`.
        folder: The copy.
        jobs: Processes that read clips.
        partial: Whether it is a part of the corpus on purpose, so that counts are not compared
            and what has no clip is no fault.

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
        findings=tuple(_probe_all(list(find_targets(corpus, partial=partial)), jobs)),
        extras=find_extras(corpus),
    )


def _clips(corpus: Corpus, split: str) -> dict[str, int]:
    present = Counter(
        one for utterance in corpus.utterances(split) for one in modalities(utterance)
    )
    return {modality: present[modality] for modality in MODALITIES}


def _probe_all(targets: Sequence[Target], jobs: int) -> list[Finding]:
    """What is wrong with the clips, in the order of the corpus."""
    if not targets:
        return []
    faults: dict[UtteranceKey, tuple[ClipFault, ...]] = {}
    number = 0
    with progress_bar() as progress:
        task = progress.add_task("reading clips", total=len(targets), note="")
        for target, found in check_targets(targets, jobs):
            faults[target.key] = found
            number += len(found)
            progress.update(task, advance=1, note=f"{number} faults" if number else "")
    return [Finding(target.key, fault) for target in targets for fault in faults[target.key]]
