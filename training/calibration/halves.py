"""Dev voices and dev faces in two halves that share no speaker and no picture.

What is fitted on composed turns (the weights of the evidence, calibration) is fitted on the
first half; composed figures are then told on the second.
"""

from __future__ import annotations

from collections.abc import Sequence

from training.datasets.fer2013 import Fer2013
from training.datasets.speech import SpeechClip

HALVES = (1, 2)


def half_of_speakers(clips: Sequence[SpeechClip], half: int) -> set[tuple[str, str]]:
    """Corpus and name of the speakers of a half; one who is alone in a corpus is in both."""
    speakers: dict[str, list[str]] = {}
    for clip in clips:
        names = speakers.setdefault(clip.corpus, [])
        if clip.speaker not in names:
            names.append(clip.speaker)
    chosen: set[tuple[str, str]] = set()
    for corpus, names in speakers.items():
        names.sort()
        middle = (len(names) + 1) // 2
        own = names[:middle] if half == 1 else names[middle:]
        chosen |= {(corpus, name) for name in own or names}
    return chosen


def half_of_voices(clips: Sequence[SpeechClip], half: int) -> list[SpeechClip]:
    """The clips of the first or the second half of each corpus's speakers, in order of name."""
    speakers = half_of_speakers(clips, half)
    return [clip for clip in clips if (clip.corpus, clip.speaker) in speakers]


def half_of_faces(data: Fer2013, half: int) -> Fer2013:
    """Every other picture, from the first or from the second on."""
    return data.choose(slice(half - 1, None, 2))
