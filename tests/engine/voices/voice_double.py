"""A second voice, made from a recorded one."""

from __future__ import annotations

import numpy as np

from stream.media import Samples


def another_voice(sound: Samples, factor: float = 1.35) -> Samples:
    """The same sentence faster and higher: a shorter throat."""
    places = np.arange(0, len(sound) - 1, factor)
    return np.interp(places, np.arange(len(sound)), sound).astype(np.float32)
