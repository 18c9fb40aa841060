"""The behaviour of participants, each against what is usual for them.

Live recognition and the measured teacher both read through this, so that both say the same
of the same pictures.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Protocol

from engine.behaviour.baseline import Baseline
from engine.behaviour.measures import Series
from engine.behaviour.reader import Behaviour
from engine.faces import Box
from stream.media import VideoFrame

MAX_PARTICIPANTS = 32
"""Baselines that are kept, of about 0.4 MB each; more people than are in a dialogue."""


class Reader(Protocol):
    """The part of `engine.behaviour.BehaviourReader` that is needed."""

    def read(
        self,
        frames: Sequence[VideoFrame],
        baseline: Baseline,
        boxes: Sequence[Box | None] | None = None,
    ) -> Behaviour:
        """What the frames show, relative to the baseline, which is not changed."""
        ...

    def describe(self, series: Mapping[str, Series], baseline: Baseline) -> Behaviour:
        """What the numbers of frames show, relative to the baseline, which is not changed."""
        ...


class Observer:
    """Reads the utterances of one dialogue in order. Not for several threads at once.

    A baseline knows only the earlier utterances of its own participant. Of those beyond
    `participants` the one who was seen longest ago is forgotten, and is a stranger again.

    Args:
        reader: Looks at the pictures.
        participants: Most baselines that are kept; at least 1.
    """

    def __init__(self, reader: Reader, participants: int = MAX_PARTICIPANTS) -> None:
        self._reader = reader
        self._participants = participants
        self._baselines: OrderedDict[str, Baseline] = OrderedDict()

    def __call__(
        self,
        participant: str,
        frames: Sequence[VideoFrame],
        boxes: Sequence[Box | None] | None = None,
    ) -> Behaviour:
        """The behaviour that an utterance shows; from then on it counts as usual, too.

        Args:
            participant: Who is seen.
            frames: Of the utterance, in the order of time.
            boxes: The participant's face in each frame, where it has been tracked already.
        """
        baseline = self._baseline(participant)
        behaviour = self._reader.read(frames, baseline, boxes)
        baseline.update(behaviour.measures)
        return behaviour

    def describe(
        self, participant: str, series: Mapping[str, Series], *, remember: bool = True
    ) -> Behaviour:
        """The behaviour in the numbers of an utterance.

        Args:
            participant: Who is seen.
            series: By the name of the measure.
            remember: Whether it counts as usual from then on; not while it may still go on.
        """
        baseline = self._baseline(participant)
        behaviour = self._reader.describe(series, baseline)
        if remember:
            baseline.update(series)
        return behaviour

    def forget(self, participant: str) -> None:
        """Who left is a stranger."""
        self._baselines.pop(participant, None)

    def _baseline(self, participant: str) -> Baseline:
        baseline = self._baselines.pop(participant, None) or Baseline()
        self._baselines[participant] = baseline
        if len(self._baselines) > self._participants:
            self._baselines.popitem(last=False)
        return baseline
