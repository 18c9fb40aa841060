"""What there is to describe: the utterances of a corpus, each with the words before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from stream.errors import UserError
from training.datasets.clip import Clip
from training.datasets.corpus import Corpus
from training.datasets.dialogues import Dialogue
from training.describe.description import UtteranceKey
from training.describe.prompt import MAX_TURNS
from training.describe.teacher import Request


@dataclass(frozen=True, eq=False)
class Task:
    """One utterance, before its pictures are read."""

    request: Request
    """Without frames."""
    clip: Clip | None
    """Where its pictures are; None without any."""
    heard: bool = False
    """Whether the teacher is given the prosody in `request`, and no pictures."""


def tasks_of(
    corpus: Corpus, splits: Sequence[str], limit: int | None = None, *, heard: bool = False
) -> list[Task]:
    """The utterances of some splits in the order of the corpus, at most `limit`.

    Args:
        corpus: What to describe.
        splits: Which of it.
        limit: Only the first utterances.
        heard: For a teacher of voices: with measured prosody and without pictures.

    Raises:
        UserError: The copy lacks a split, or has no pictures (prosody) of any utterance.
    """
    missing = [split for split in splits if split not in corpus.splits]
    if missing:
        raise UserError(
            f"this copy of {corpus.name} has no {' and no '.join(missing)}: "
            f"give --splits {' '.join(corpus.splits)}"
        )
    every = (
        task
        for split in dict.fromkeys(splits)
        for dialogue in corpus.splits[split]
        for task in _tasks(corpus.name, split, dialogue, heard)
    )
    tasks = list(islice(every, limit))
    if heard and not any(task.request.prosody for task in tasks):
        raise UserError(
            f"this copy of {corpus.name} has no measured prosody of {' or '.join(splits)}: "
            "docs/data.md says where its files belong"
        )
    if not heard and not any(task.clip for task in tasks):
        raise UserError(
            f"this copy of {corpus.name} has no pictures of {' or '.join(splits)}: "
            "docs/data.md says where its clips belong"
        )
    return tasks


def _tasks(corpus: str, split: str, dialogue: Dialogue, heard: bool) -> Iterator[Task]:
    turns = [(utterance.speaker, utterance.text) for utterance in dialogue.utterances]
    for index, utterance in enumerate(dialogue.utterances):
        key = UtteranceKey(corpus, split, dialogue.id, utterance.utterance_id)
        before = tuple(turns[max(0, index - MAX_TURNS) : index])
        request = Request(key, utterance.speaker, utterance.text or None, before)
        if heard:
            yield Task(replace(request, prosody=utterance.prosody), None, heard=True)
            continue
        clip = utterance.clip if utterance.clip and utterance.clip.video else None
        yield Task(request, clip)
