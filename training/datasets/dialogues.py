"""Conversations with an emotion on every utterance, whatever corpus they come from."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stream.errors import UserError
from training.datasets.clip import Clip
from training.datasets.tables import Row, read_table

_C1_CONTROL = re.compile(r"[\x80-\x9f]")
_DOUBLY_ENCODED = re.compile("â€|Ã[\u0080-\u00bf]|Â[\u00a0-\u00bf]")


@dataclass(frozen=True)
class DialogueUtterance:
    """One utterance as the corpus has it."""

    dialogue_id: str
    """Of the dialogue within its file."""
    utterance_id: int
    """Of the utterance within its dialogue: ascending, but not always without gaps."""
    speaker: str
    """Name in the script."""
    text: str
    """What was said, with broken characters repaired."""
    emotion: str
    """The corpus's own label in lower case, or "": context only, nothing to train or score on."""
    start: float | None
    """Seconds from the start of the episode or recording; None where unknown."""
    end: float | None
    """Seconds from the start of the episode or recording; None where unknown."""
    season: int = 0
    """Of the series; 0 where there is none."""
    episode: int = 0
    """Of the season; 0 where there is none."""
    clip: Clip | None = None
    """Its pictures and sound; None where the copy has none."""
    prosody: tuple[float, ...] | None = None
    """Published measures of its voice (`engine.prosody.MEASURES`), NaN where one is unknown;
    None where the copy has none."""

    @property
    def seconds(self) -> float | None:
        """Length by the corpus's times; None without any, or where they are impossible."""
        if self.start is None or self.end is None or self.end <= self.start:
            return None
        return self.end - self.start


@dataclass(frozen=True)
class Dialogue:
    """One conversation."""

    id: str
    """Unique within its file."""
    utterances: tuple[DialogueUtterance, ...]
    """In the order of their ids."""


def read_dialogues(
    path: Path,
    columns: Sequence[str],
    layout: str,
    utterance_of: Callable[[Row], DialogueUtterance],
    *,
    noun: str = "dialogue",
    hint: str = "",
) -> list[Dialogue]:
    """Read a csv with an utterance a row.

    Args:
        path: The csv.
        columns: That it must have.
        layout: What it should look like, for the messages.
        utterance_of: Makes the utterance of a row.
        noun: What the corpus calls a dialogue, for the messages.
        hint: What to do about an utterance that is there twice.

    Raises:
        UserError: If the file is not in that layout, naming the line.
    """
    seen: dict[tuple[str, int], int] = {}
    utterances = []
    for row in read_table(path, columns, layout):
        utterance = utterance_of(row)
        key = utterance.dialogue_id, utterance.utterance_id
        if key[1] < 0:
            raise row.error(f"Utterance_ID is '{key[1]}', expected a whole number from 0")
        if key in seen:
            raise row.error(
                f"{noun} {key[0]} utterance {key[1]} is already on line {seen[key]}{hint}"
            )
        seen[key] = row.number
        utterances.append(utterance)
    if not utterances:
        raise UserError(f"{path}: no utterances; expected {layout}")
    return group_dialogues(utterances)


def group_dialogues(utterances: Iterable[DialogueUtterance]) -> list[Dialogue]:
    """Gather utterances into dialogues: these in order of appearance, utterances in order of id."""
    groups: dict[str, list[DialogueUtterance]] = {}
    for utterance in utterances:
        groups.setdefault(utterance.dialogue_id, []).append(utterance)
    return [
        Dialogue(key, tuple(sorted(group, key=lambda utterance: utterance.utterance_id)))
        for key, group in groups.items()
    ]


def cut(dialogue: Dialogue, share: float, rng: random.Random) -> list[Dialogue]:
    """A dialogue, or with the probability `share` its two parts of at least two turns each."""
    count = len(dialogue.utterances)
    # Without a share nothing is drawn: the epochs of recipes that cut nothing stay as they were.
    if not share or count < 4 or rng.random() >= share:
        return [dialogue]
    place = rng.randrange(2, count - 1)
    parts = dialogue.utterances[:place], dialogue.utterances[place:]
    return [Dialogue(dialogue.id, part) for part in parts]


def repair_text(text: str) -> str:
    r"""Undo the two ways Windows-1252 punctuation is broken in circulating copies of MELD.

    - A C1 control character where a quotation mark, dash or ellipsis was (`you\x92re`): the byte
      was read as Latin-1; it becomes the Windows-1252 character (here U+2019).
    - UTF-8 read as Windows-1252 and encoded again (three characters for one): decoded once more.

    Everything else stays as it is.
    """
    if _DOUBLY_ENCODED.search(text):
        try:
            text = text.encode("cp1252").decode("utf-8")
        except UnicodeError:
            pass  # not broken throughout: leave it rather than guess
    return _C1_CONTROL.sub(_windows_character, text)


def _windows_character(match: re.Match[str]) -> str:
    """The Windows-1252 meaning of a C1 control; nothing for the five bytes that have none."""
    return match[0].encode("latin-1").decode("cp1252", errors="ignore")
