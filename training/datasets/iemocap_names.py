"""What the names of IEMOCAP's recordings and utterances say.

`Ses01F_impro01_M003` is utterance 3 of the man (`M003`) in improvisation 1 of session 1, in the
recording in which the woman (`Ses01F`) wears the motion-capture markers (README of the release).

**Which half of the picture.** Each avi shows both actors side by side, the one with the markers on
the left. So an utterance's speaker is on the left where the two letters agree. The release does
not say this. Public pipelines that cut the videos independently all use it, among them
`preprocess/iemocap/cut_video.sh` of AIM3-RUC/MEmoBert and `extractionmapCreator.py` of
IoannisKansizoglou/Iemocap-preprocess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DIALOGUE = re.compile(r"Ses0([1-5])([FM])_(?:impro|script)\w+")
_UTTERANCE = re.compile(r"(Ses0[1-5][FM]_(?:impro|script)\w+)_([FM])\d{3}")


@dataclass(frozen=True)
class UtteranceName:
    """The parts of an utterance's name that say who speaks, and where."""

    dialogue: str
    """Name of the recording, `Ses01F_impro01`."""
    gender: str
    """`F` or `M`: the speaker, of the one woman and the one man in each session."""

    @property
    def speaker(self) -> str:
        """The actor, one of ten in the corpus: `Ses01_M`."""
        return f"{self.dialogue[:5]}_{self.gender}"

    @property
    def side(self) -> str:
        """The half of the picture that shows the speaker, of `training.datasets.clip.SIDES`."""
        with_markers = self.dialogue[5]
        return "left" if self.gender == with_markers else "right"


def parse_utterance(name: str) -> UtteranceName | None:
    """Read an utterance's name; None if it is not one of IEMOCAP's."""
    match = _UTTERANCE.fullmatch(name)
    return UtteranceName(match[1], match[2]) if match else None


def session_of(dialogue: str) -> int | None:
    """The session, 1 to 5, of a recording's name; None if it is not one of IEMOCAP's."""
    match = _DIALOGUE.fullmatch(dialogue)
    return int(match[1]) if match else None
