"""A camera through OpenCV, also when it comes and goes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import cv2
import numpy as np

from stream.errors import UserError
from stream.media import Image, VideoFrame
from stream.sources.keeper import Lease
from stream.sources.pictures import FrameLimiter, picture_size
from stream.sources.stillness import FROZEN_SECONDS, Stillness

_log = logging.getLogger(__name__)

_MAX_BAD_READS = 30  # in a row; then the camera is taken to be gone
_BAD_READ_SECONDS = 0.02  # a camera that is gone fails at once: until it is asked again
_USUAL_RATE = 30.0
_PLAUSIBLE_RATES = (1.0, 240.0)
_BACKLOG_SHARE = 0.25  # of the time between two pictures; one that took less was waiting
_LONGEST_BACKLOG = 30  # pictures; some backends never make one wait


def open_capture(index: int | str) -> Any:
    """OpenCV's capture of a camera.

    Raises:
        UserError: The camera is missing or busy.
    """
    # OpenCV writes its own warnings to the terminal; the error below says it better.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        capture.release()
        raise UserError(
            f"cannot open camera {index}; connect it, close other programs that use it, choose "
            "another of `run_live.py devices` with --camera, or use --no-video"
        )
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


class Backlog:
    """Tells the pictures that waited in a driver from those that have just been taken.

    Drivers keep a few pictures and give the oldest first, and some ignore the wish to keep
    only one. So whoever was too busy to read gets old pictures until one makes him wait.

    Args:
        rate: Pictures per second, as the camera says.
    """

    def __init__(self, rate: float) -> None:
        low, high = _PLAUSIBLE_RATES
        self._least = _BACKLOG_SHARE / (rate if low <= rate <= high else _USUAL_RATE)
        self._in_a_row = 0

    def holds(self, waited: float) -> bool:
        """Whether a picture that made one wait so many seconds is an old one."""
        old = waited < self._least and self._in_a_row < _LONGEST_BACKLOG
        self._in_a_row = self._in_a_row + 1 if old else 0
        return old


class Camera:
    """Reads a camera each time that it is opened, as fast as it gives pictures.

    Args:
        index: Number of the camera, or anything else that OpenCV captures from.
        put: Takes each picture, in the reading thread.
        clock: Media seconds.
        frozen_seconds: How long pictures may be the same to the byte.
        open_capture: Opens it; a double of OpenCV in tests.
    """

    def __init__(
        self,
        index: int | str,
        put: Callable[[VideoFrame], None],
        clock: Callable[[], float],
        *,
        frozen_seconds: float = FROZEN_SECONDS,
        open_capture: Callable[[int | str], Any] = open_capture,
    ) -> None:
        self._index, self._put, self._clock = index, put, clock
        self._open_capture = open_capture
        self._stillness = Stillness(frozen_seconds)
        self.shown = f"camera {index}"
        """What messages call it."""
        self.bad_reads = 0
        """Pictures that the camera failed to give."""

    @property
    def frozen(self) -> bool:
        """Whether it gives the same picture again and again."""
        return self._stillness.frozen

    @property
    def freezes(self) -> int:
        """Times so far that it came to do so."""
        return self._stillness.freezes

    def read(self, lease: Lease) -> None:
        """Open it, and give its pictures until the lease is over.

        Raises:
            UserError: It is missing, busy, gone, or to be opened again because it is frozen.
        """
        capture = self._open_capture(self._index)
        try:
            lease.opened()
            for frame in self._frames(capture, lease.over):
                if lease.give(partial(self._put, frame)):
                    self._look(frame)
        finally:
            self._stillness.pause()
            capture.release()

    def _frames(self, capture: Any, over: threading.Event) -> Iterator[VideoFrame]:
        """Pictures, not too many and none that waited, each with the time at which it came."""
        backlog = Backlog(capture.get(cv2.CAP_PROP_FPS))
        limiter = FrameLimiter()
        bad_reads = 0
        while not over.is_set():
            asked = self._clock()
            grabbed = capture.grab()
            now = self._clock()
            if grabbed and (backlog.holds(now - asked) or not limiter.passes(now)):
                continue
            image = _retrieve(capture) if grabbed else None
            if image is not None:
                bad_reads = 0
                yield VideoFrame(now, image)
                continue
            self.bad_reads += 1
            bad_reads += 1
            if bad_reads >= _MAX_BAD_READS:
                raise UserError(f"{self.shown} gives no more pictures; check its cable")
            over.wait(_BAD_READ_SECONDS)

    def _look(self, frame: VideoFrame) -> None:
        finding = self._stillness.push(frame.image, frame.time)
        said = f"{self.shown} gives the same picture again and again"
        if finding == "reopen":
            raise UserError(said)
        if finding == "still":
            _log.warning("%s; check that nothing covers it", said)


def _retrieve(capture: Any) -> Image | None:
    """The picture that was grabbed: RGB, bounded in size; None if it is damaged."""
    decoded, image = capture.retrieve()
    if not decoded or image is None:
        return None
    height, width = image.shape[:2]
    if picture_size(width, height) != (width, height):
        image = cv2.resize(image, picture_size(width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
