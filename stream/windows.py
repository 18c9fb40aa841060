"""Fixed windows of a video without sound. Sans-I/O; the counterpart of `segmenter.py`."""

from __future__ import annotations

from stream.segmenter import Boundary

LAST_PICTURE_SECONDS = 0.04
"""How long the last picture of a track lasts."""
"""How long the last picture is taken to stay on screen."""


class FixedWindows:
    """Cuts time into windows of equal length that start at the first picture.

    Four seconds are about as long as a spoken turn, and enough pictures at 15 per second to
    fill the 64 that the model looks at. Windows without a picture are left out.

    Args:
        seconds: Length of a window.
    """

    def __init__(self, seconds: float = 4.0) -> None:
        if not seconds > 0:
            raise ValueError("window_seconds must be positive")
        self._seconds = seconds
        self._origin: float | None = None
        self._index: int | None = None  # of the open window
        self._last = 0.0

    @property
    def earliest(self) -> float:
        """No window still to come starts before this."""
        return self._last if self._index is None else self._edge(self._index)

    def push(self, time: float) -> list[Boundary]:
        """Take the time of the next picture; gives the window that it completes, if any."""
        if self._origin is None:
            self._origin = time
        index = int((time - self._origin) / self._seconds)
        ended = []
        if self._index is not None and index > self._index:
            ended.append(Boundary(self._edge(self._index), self._edge(self._index + 1)))
        self._index = index
        self._last = time
        return ended

    def flush(self) -> list[Boundary]:
        """The last window, ended where its last picture leaves the screen."""
        if self._index is None:
            return []
        start, full = self._edge(self._index), self._edge(self._index + 1)
        self._index = None
        return [Boundary(start, min(self._last + LAST_PICTURE_SECONDS, full))]

    def _edge(self, index: int) -> float:
        return (self._origin or 0.0) + index * self._seconds
