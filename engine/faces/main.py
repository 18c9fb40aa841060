"""Who is the participant of several people in sight: the one rule for live, training and all.

In each frame `MainFace` takes the face that weighs most so far; of the faces that are taken in
an utterance the `heaviest` is the participant's. Who speaks is another matter
(`engine.faces.talking`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from engine.faces.follower import FORGET_SECONDS, GAP_SECONDS, TrackedFace

MEMORY_SECONDS = 10.0
"""Time constant with which weights fade: who sat here for an hour and left is not waited for."""
MARGIN = 1.25
"""How many times as much somebody else must weigh to become the main person: two people side by
side do not take turns."""


class MainFace:
    """Chooses the main person of one camera, a frame at a time. Sans-I/O, deterministic.

    Bounded: knows those alone whom the follower may still recognise.
    """

    def __init__(self) -> None:
        """There is nobody yet."""
        self._shot = 0
        self._forget()

    @property
    def known(self) -> int:
        """How many people have a weight."""
        return len(self._weights)

    def __call__(self, faces: Sequence[TrackedFace], time: float) -> TrackedFace | None:
        """The main person's face in the next frame; None where it is not to be seen.

        Args:
            faces: Everybody in the frame.
            time: Of the frame, media seconds.
        """
        if time < self._time or (faces and faces[0].shot != self._shot):
            self._forget()
        self._fade(time)
        for face in faces:
            self._shot = face.shot
            self._seen[face.person] = time
            self._weights[face.person] = self._weights.get(face.person, 0.0) + face.weight
        self._choose(faces, time)
        return next((face for face in faces if face.person == self._main), None)

    def _forget(self) -> None:
        self._weights: dict[int, float] = {}
        self._seen: dict[int, float] = {}
        self._main: int | None = None
        self._time = -math.inf
        self._shot = 0

    def _fade(self, time: float) -> None:
        """Let weights fade, and forget whom the follower has forgotten."""
        kept = math.exp((self._time - time) / MEMORY_SECONDS)
        self._time = time
        self._seen = {who: seen for who, seen in self._seen.items() if time - seen < FORGET_SECONDS}
        self._weights = {who: kept * self._weights[who] for who in self._seen}

    def _choose(self, faces: Sequence[TrackedFace], time: float) -> None:
        """Keep the main person while in sight, unless somebody weighs clearly more."""
        best = heaviest((face.person, self._weights[face.person]) for face in faces)
        if best is None or best == self._main:
            return
        gone = self._main not in self._seen or time - self._seen[self._main] > GAP_SECONDS
        if self._main is None or gone or self._weights[best] > MARGIN * self._weights[self._main]:
            self._main = best


def heaviest(weights: Iterable[tuple[int, float]]) -> int | None:
    """The person with the greatest sum of weights; of equals the one who came first.

    Args:
        weights: Person and weight, in any order.
    """
    sums: defaultdict[int, float] = defaultdict(float)
    for person, weight in weights:
        sums[person] += weight
    return max(sorted(sums), key=sums.__getitem__, default=None)
