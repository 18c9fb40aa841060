"""Pictures that stand still."""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.media import Image, VideoFrame

Finding = Literal["reopen", "still"]

STILL = "pictures stand still"
"""What is said of pictures that are left out because of that."""
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


Parts = NDArray[np.float32]

STILL_SECONDS = 2.0
"""How long pictures of a file may be alike: a face that is filmed moves more within a second."""
ALIKE_LEVELS = 4.0
"""Pictures are alike if no part of them differs by more grey levels, of 255.

Encoded again and again, a still picture differs by 2.6 at most (H.264, MPEG-2 and 4, VP8 and 9 at
low rates); the quietest second of people who are filmed, by 39.
"""
_PARTS = 32  # in which a picture is divided from left to right


class StillFilter:
    """Holds back pictures that stand still, such as the photograph of who speaks in a podcast.

    What differs from the picture before passes at once. What is alike waits for what comes
    next: it passes if that differs soon, and is left out if that stays alike.

    Args:
        still_seconds: How long pictures may be alike.
        hold: Whether what is alike waits, and the very first picture; else it passes until
            it has stood still for long enough. So nothing comes late, but a photograph is seen.
    """

    def __init__(self, still_seconds: float = STILL_SECONDS, *, hold: bool = True) -> None:
        self._still_seconds, self._hold = still_seconds, hold
        self._last: Parts | None = None
        self._since = 0.0
        self._held: list[VideoFrame] = []
        self.still = False
        """Whether the pictures that come stand still."""

    @property
    def holds_since(self) -> float | None:
        """Media seconds of the first picture that waits; None where none does."""
        return self._held[0].time if self._held else None

    def push(self, frame: VideoFrame) -> list[VideoFrame]:
        """Take the next picture; gives those that pass, in order."""
        parts = _parts(frame.image)
        if self._last is None and self._hold:
            self._last, self._since = parts, frame.time
            self._held.append(frame)
            return []
        if not _alike(self._last, parts):
            self._last, self._since, self.still = parts, frame.time, False
            return [*self._take_held(), frame]
        self._held.append(frame)
        if self.still or frame.time - self._since >= self._still_seconds:
            self.still = True
            self._held.clear()
        return [] if self._hold else self._take_held()

    def flush(self) -> list[VideoFrame]:
        """No more pictures come: gives those that wait."""
        return self._take_held()

    def _take_held(self) -> list[VideoFrame]:
        held, self._held = self._held, []
        return held


def _parts(image: Image) -> Parts:
    """How bright each part of a picture is, from 0 to 255."""
    height, width = image.shape[:2]
    size = (min(_PARTS, width), min(max(1, round(_PARTS * height / width)), height))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _alike(one: Parts | None, other: Parts) -> bool:
    if one is None or one.shape != other.shape:
        return False
    return bool(np.abs(one - other).max() <= ALIKE_LEVELS)
