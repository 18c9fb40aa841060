"""Described utterances, made as a test needs them."""

from __future__ import annotations

from training.audit.items import Item
from training.datasets.clip import Clip
from training.datasets.dialogues import DialogueUtterance
from training.describe.description import Description, UtteranceKey


class MakeItem:
    """Makes one described utterance a call, each with the next number."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(
        self,
        face: str = "The brows are raised.",
        *,
        body: str = "",
        posture: str = "",
        label: str = "joy",
        speaker: str = "Ross",
        text: str = "Hi.",
        dialogue: str = "d0",
        clip: Clip | None = None,
    ) -> Item:
        """An utterance of MELD's dev split, with its description."""
        self._number += 1
        utterance = DialogueUtterance(
            dialogue, self._number, speaker, text, label, None, None, clip=clip
        )
        key = UtteranceKey("meld", "dev", dialogue, self._number)
        return Item(key, Description(face, body, posture), utterance)
