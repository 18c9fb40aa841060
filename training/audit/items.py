"""Descriptions joined with the utterances that they are of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from stream.errors import UserError
from training.datasets.corpus import Corpus
from training.datasets.dialogues import DialogueUtterance
from training.describe.description import PARTS, Description, UtteranceKey


@dataclass(frozen=True)
class Item:
    """One description and everything a judge of it may want to know."""

    key: UtteranceKey
    description: Description
    utterance: DialogueUtterance
    context: tuple[DialogueUtterance, ...] = ()
    """The turns before, oldest first."""

    @property
    def label(self) -> str:
        """Gold emotion of the corpus; empty where it has none, as for a fourth of IEMOCAP."""
        return self.utterance.emotion

    @property
    def speaker(self) -> str:
        """Name in the script."""
        return self.utterance.speaker

    @property
    def dialogue(self) -> tuple[str, str]:
        """The dialogue, unique over the splits."""
        return self.key.split, self.key.dialogue

    @property
    def text(self) -> str:
        """All parts of the description."""
        return self.description.text()

    @property
    def digest(self) -> str:
        """SHA-256 of the description: a verdict holds for this wording only."""
        said = {name: text for name, text in asdict(self.description).items() if text}
        content = json.dumps({**dict.fromkeys(PARTS, ""), **said}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def join(
    corpus: Corpus, descriptions: Mapping[UtteranceKey, Description], context: int = 4
) -> list[Item]:
    """Find the utterance of every description.

    Args:
        corpus: What was described.
        descriptions: By the utterance that they are of.
        context: Turns before the utterance that a judge sees.

    Returns:
        In the order of the corpus.

    Raises:
        UserError: A description is of no utterance of the corpus, or there is none.
    """
    items = []
    for split, dialogues in corpus.splits.items():
        for dialogue in dialogues:
            for position, utterance in enumerate(dialogue.utterances):
                key = UtteranceKey(corpus.name, split, dialogue.id, utterance.utterance_id)
                if key in descriptions:
                    before = dialogue.utterances[max(0, position - context) : position]
                    items.append(Item(key, descriptions[key], utterance, before))
    if len(items) < len(descriptions):
        _refuse_strangers(corpus, descriptions, {item.key for item in items})
    if not items:
        raise UserError("there is no description to audit; write some with training.describe")
    return items


def undescribed(corpus: Corpus, items: Sequence[Item]) -> list[DialogueUtterance]:
    """Utterances without a description, of the splits that have any.

    The teacher failed at them, they have no pictures, or it was not asked.
    """
    splits = dict.fromkeys(item.key.split for item in items)
    described = {(item.dialogue, item.key.utterance) for item in items}
    return [
        utterance
        for split in splits
        for dialogue in corpus.splits[split]
        for utterance in dialogue.utterances
        if ((split, dialogue.id), utterance.utterance_id) not in described
    ]


def _refuse_strangers(
    corpus: Corpus, descriptions: Mapping[UtteranceKey, Description], known: set[UtteranceKey]
) -> None:
    strangers = [key for key in descriptions if key not in known]
    first = strangers[0]
    raise UserError(
        f"{len(strangers)} descriptions are of no utterance of this copy of {corpus.name}, such as "
        f"{first.corpus} {first.split} dialogue {first.dialogue} utterance {first.utterance}; "
        "give the recipe and the --data that they were written with"
    )
