"""What of a corpus there is to probe, and doing it in many processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from training.checks.faults import MODALITIES, ClipFault, merge
from training.checks.probe import inspect
from training.clips.pool import map_isolated
from training.datasets.clip import Clip
from training.datasets.corpus import Corpus
from training.datasets.dialogues import DialogueUtterance
from training.describe.description import UtteranceKey


@dataclass(frozen=True)
class Target:
    """One utterance whose clip is to be probed."""

    key: UtteranceKey
    clip: Clip | None
    wanted: tuple[str, ...]
    """What it should have in this copy, of `MODALITIES`."""
    expected_seconds: float | None
    """Length by the corpus's times; None where it has none."""


def find_targets(corpus: Corpus, *, partial: bool = False) -> Iterator[Target]:
    """Every utterance that should have a clip.

    A published corpus has clips of all of a split or is a copy without them; own data says for
    each utterance what there is, and so does a copy that is `partial` on purpose.
    """
    for split in corpus.splits:
        present = {one for utterance in corpus.utterances(split) for one in modalities(utterance)}
        for utterance in corpus.utterances(split):
            told = partial or corpus.name == "manifest"
            own = modalities(utterance) if told else present
            wanted = tuple(name for name in MODALITIES if name in own)
            if wanted:
                key = UtteranceKey(
                    corpus.name, split, utterance.dialogue_id, utterance.utterance_id
                )
                yield Target(key, utterance.clip, wanted, utterance.seconds)


def modalities(utterance: DialogueUtterance) -> set[str]:
    """What an utterance's clip names, of `MODALITIES`."""
    clip = utterance.clip
    return set() if clip is None else {name for name in MODALITIES if getattr(clip, name)}


def check_target(target: Target) -> tuple[ClipFault, ...]:
    """All faults of one utterance's clip, worst first."""
    absent = tuple(
        name for name in target.wanted if target.clip is None or getattr(target.clip, name) is None
    )
    faults = [ClipFault("missing", absent, f"no {' and no '.join(absent)} of it")] if absent else []
    if target.clip is not None:
        faults.extend(inspect(target.clip, target.expected_seconds))
    return merge(faults)


def check_targets(
    targets: Sequence[Target], jobs: int
) -> Iterator[tuple[Target, tuple[ClipFault, ...]]]:
    """Probe clips.

    Args:
        targets: Utterances.
        jobs: Processes; with 1 it is done in this one, and a clip that crashes it ends the run.

    Yields:
        Each with its faults, in any order.
    """
    if jobs == 1:
        yield from ((target, check_target(target)) for target in targets)
        return
    for target, faults in map_isolated(check_target, targets, jobs):
        crash = ClipFault("corrupt", target.wanted, "makes the decoder crash")
        yield target, (crash,) if faults is None else faults
