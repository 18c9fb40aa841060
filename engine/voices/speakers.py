"""Who is speaking, by voice: utterances grouped by how alike their vectors are. Sans-I/O.

A voice is compared with all utterances of each known person. Emotion changes a voice about
as much as another person of the same sex does, so an answer says whether it is sure, and
who has other evidence, such as a moving mouth, should ask that first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAME_VOICE = 0.60
"""Mean similarity to a person's utterances below which it is somebody else. Measured with
`benchmarks.voices`: higher splits a person with strong emotions into several, lower takes two
calm people of like voices for one; here the first happens with acted emotions of all kinds, the
second in calm conversations."""
SURE_VOICE = 0.70
"""Similarity from which a known person is sure ..."""
SURE_MARGIN = 0.08
"""... if everybody else is less similar by this."""
SURE_NEW = 0.55
"""Similarity to everybody below which somebody new is sure."""
SHORT_SECONDS = 1.0
"""Shorter sound says too little: it makes nobody new, is never sure and not learned from."""
MAX_PEOPLE = 8


@dataclass(frozen=True)
class SpeakerGuess:
    """Who said an utterance."""

    person: int
    """From 1 in the order in which voices were first heard; never given to anybody else, but that
    short sound before the first voice counts as the first one's, unsurely."""
    sure: bool
    """Whether the voice is clearly this person's and nobody else's."""
    similarity: float
    """Mean cosine to the person's utterances so far, -1 to 1; of somebody new to those of the
    most similar other person, 0 where there is none."""


class Speakers:
    """The people heard by one microphone.

    Args:
        max_people: Of further people, each is taken for the most similar one, and not surely.
    """

    def __init__(self, *, max_people: int = MAX_PEOPLE) -> None:
        if max_people < 1:
            raise ValueError(f"max_people is {max_people}: it must be at least 1")
        self._max_people = max_people
        self._sums: list[NDArray[np.float64]] = []
        self._counts: list[int] = []

    def __len__(self) -> int:
        """How many people were heard so far."""
        return len(self._sums)

    def heard(self, start: float, end: float, embedding: NDArray[np.float32]) -> SpeakerGuess:
        """Say who it is, and learn the voice.

        Args:
            start: Of the utterance, media seconds.
            end: Likewise.
            embedding: Its vector, of length 1; shape (D,).
        """
        short = end - start < SHORT_SECONDS
        vector = np.asarray(embedding, np.float64)
        if not self._sums:
            if short:
                return SpeakerGuess(1, False, 0.0)
            self._add(vector)
            return SpeakerGuess(1, True, 0.0)
        similarities = np.stack(self._sums) @ vector / np.array(self._counts)
        best = int(similarities.argmax())
        similarity = float(similarities[best])
        if similarity < SAME_VOICE and not short and len(self) < self._max_people:
            self._add(vector)
            return SpeakerGuess(len(self), similarity < SURE_NEW, similarity)
        if not short:
            self._sums[best] += vector
            self._counts[best] += 1
        others = np.delete(similarities, best)
        margin = similarity - float(others.max(initial=-1.0))
        sure = similarity >= SURE_VOICE and margin >= SURE_MARGIN and not short
        return SpeakerGuess(best + 1, sure, similarity)

    def _add(self, vector: NDArray[np.float64]) -> None:
        self._sums.append(vector.copy())
        self._counts.append(1)
