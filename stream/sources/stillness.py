"""Pictures that stand still."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from stream.media import Image

Finding = Literal["reopen", "still"]

FROZEN_SECONDS = 10.0
"""How long pictures may be the same to the byte; the noise of a sensor never is."""
REOPEN_SECONDS = 600.0
"""Between two openings of a camera because it stood still."""


class Stillness:
    """Notices that pictures are the same to the byte. No input or output here.

    Where a driver repeats its last picture, opening the camera again helps. A covered lens or
    a virtual camera may stand still for good reason, and opening it again shows the same
    picture, so that is not tried twice for one picture, nor often.

    Args:
        frozen_seconds: See `FROZEN_SECONDS`.
    """

    def __init__(self, frozen_seconds: float = FROZEN_SECONDS) -> None:
        self._frozen_seconds = frozen_seconds
        self._last: Image | None = None
        self._since = 0.0
        self._told = False
        self._reopened: Image | None = None
        self._reopened_at = -math.inf
        self.frozen = False
        """Whether the pictures that come stand still."""
        self.freezes = 0
        """Times so far that they came to stand still."""

    def push(self, image: Image, time: float) -> Finding | None:
        """What there is to do after a picture, once each time that they come to stand still.

        Args:
            image: Shape (H, W, 3).
            time: Seconds, never going back.

        Returns:
            `reopen`: open the camera again; `still`: that would not help.
        """
        if not _same(self._last, image):
            self._last, self._since = image, time
            self.frozen = self._told = False
            return None
        self.frozen = time - self._since >= self._frozen_seconds
        if not self.frozen or self._told:
            return None
        self._told = True
        self.freezes += 1
        if _same(self._reopened, image) or time - self._reopened_at < REOPEN_SECONDS:
            return "still"
        self._reopened, self._reopened_at = image, time
        return "reopen"

    def pause(self) -> None:
        """No pictures come for now."""
        self.frozen = False


def _same(one: Image | None, other: Image) -> bool:
    return one is not None and np.array_equal(one, other)
