"""What is already computed of an utterance when it ends: its pictures, its windows of sound.

Live, pictures are encoded as they come and windows of sound as they are full, so that at the
end of an utterance little is left to do. Each piece depends on nothing that comes after it;
put together they are what the whole utterance gives at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engine.faces import Box, heaviest


@dataclass(frozen=True, eq=False)
class Look:
    """One picture, encoded."""

    time: float
    """Media seconds."""
    features: Tensor | None = None
    """(D,) of the DenseNet; None where nobody's face was seen."""
    logits: Tensor | None = None
    """(E,) label scores, where the spec has evidence."""
    person: int = 0
    """Whose face it is (`engine.faces.TrackedFace.person`); 0 where the whole frame counts."""
    box: Box | None = None
    """The face in the frame."""
    quality: float = 1.0
    """From 0 to 1, of the face's crop."""
    weight: float = 1.0
    """`engine.faces.TrackedFace.weight`: who weighs most is the participant."""


@dataclass(frozen=True, eq=False)
class Perceived:
    """The pieces of one utterance."""

    looks: Sequence[Look] = ()
    """At most `VideoSpec.frames`, in the order of time."""
    functionals: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)
    """(D,) openSMILE functionals of whole windows, by the window's first sample in the
    utterance."""


def of_participant(looks: Sequence[Look]) -> list[Look]:
    """The looks without features where they are of somebody else than the participant.

    The participant is whoever weighs most over all of them, as `engine.faces.main` has it.
    """
    main = heaviest((look.person, look.weight) for look in looks if look.features is not None)
    return [
        look if look.features is None or look.person == main else Look(look.time) for look in looks
    ]


def quality_of(looks: Sequence[Look]) -> float:
    """Mean over all looks, from 0 to 1; one without a face counts 0."""
    seen = [look.quality for look in looks if look.features is not None]
    return sum(seen) / max(1, len(looks))
