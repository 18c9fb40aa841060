"""A camera through OpenCV with a microphone, or either alone, on one clock."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

import cv2

from stream.errors import UserError
from stream.media import VideoFrame
from stream.sources.base import DEFAULT_PARTICIPANT, MediaItem, source_name
from stream.sources.buffer import CaptureBuffer
from stream.sources.microphone import Microphone
from stream.sources.pictures import FrameLimiter, picture_size

_log = logging.getLogger(__name__)

_MAX_BAD_READS = 30  # in a row, about a second; then the camera is taken to be gone


class Camera:
    """An open camera: a thread reads it until it is closed or gone.

    Args:
        index: Number of the camera, or anything else that OpenCV captures from.
        put: Takes each picture, in the reading thread.
        ended: Called once when no more pictures come.
        clock: Media seconds.

    Raises:
        UserError: The camera is missing or busy.
    """

    def __init__(
        self,
        index: int | str,
        put: Callable[[VideoFrame], None],
        ended: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._capture: Any = open_capture(index)
        self._put, self._ended, self._clock = put, ended, clock
        self._limiter = FrameLimiter()
        self._closing = threading.Event()
        self.bad_reads = 0
        """Pictures that the camera failed to give."""
        self._thread = threading.Thread(target=self._run, name=f"camera-{index}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading; waits for the picture in progress."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            in_a_row = 0
            while not self._closing.is_set() and in_a_row < _MAX_BAD_READS:
                if self._read():
                    in_a_row = 0
                else:
                    in_a_row += 1
                    self.bad_reads += 1
        except Exception:
            _log.exception("the camera failed")
        finally:
            self._capture.release()
            self._ended()

    def _read(self) -> bool:
        """Read a picture, and pass it on if it is not one too many."""
        if not self._capture.grab():
            return False
        now = self._clock()
        if not self._limiter.passes(now):
            return True
        decoded, image = self._capture.retrieve()
        if not decoded or image is None:
            return False
        height, width = image.shape[:2]
        if picture_size(width, height) != (width, height):
            image = cv2.resize(image, picture_size(width, height), interpolation=cv2.INTER_AREA)
        self._put(VideoFrame(now, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)))
        return True


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


class CameraSource:
    """A camera and a microphone.

    Args:
        index: Number of the camera; None for the microphone alone.
        microphone: Part of its name or its number; None for the default one.
        audio: Whether to open a microphone.
        participant: Pseudonymous id of who is seen and heard.
        clock: Seconds.
    """

    live = True

    def __init__(
        self,
        index: int | str | None,
        *,
        microphone: str | None = None,
        audio: bool = True,
        participant: str = DEFAULT_PARTICIPANT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = "microphone" if index is None else source_name(f"camera-{index}")
        self.participant = participant
        self.has_audio = audio
        self.has_video = index is not None
        self._index, self._microphone_name, self._clock = index, microphone, clock
        self._started = 0.0
        self._stopped = self._camera_lost = False
        self._buffer: CaptureBuffer | None = None
        self._camera: Camera | None = None
        self._microphone: Microphone | None = None

    @property
    def skipped_packets(self) -> int:
        """Pictures and blocks of sound so far that were lost."""
        bad_reads = self._camera.bad_reads if self._camera else 0
        overflows = self._microphone.overflows if self._microphone else 0
        return bad_reads + overflows + (self._buffer.dropped if self._buffer else 0)

    async def __aenter__(self) -> Self:
        """Open the devices.

        Raises:
            UserError: One is missing or busy.
        """
        self._buffer = CaptureBuffer()
        try:
            await asyncio.to_thread(self._open, self._buffer)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the devices."""
        await self._close()

    def stop(self) -> None:
        """End after what is already captured."""
        self._stopped = True
        self._end()

    async def __aiter__(self) -> AsyncIterator[MediaItem]:
        """Chunks and frames as they come.

        Raises:
            UserError: The camera is gone, and there is no microphone to go on with.
        """
        if self._buffer is None:
            raise RuntimeError("open the source first: async with source")
        while items := await self._buffer.take():
            for item in items:
                yield item
        if self._camera_lost:
            raise UserError(
                f"camera {self._index} gives no more pictures; check its cable, then start again"
            )

    def _open(self, buffer: CaptureBuffer) -> None:
        self._started = self._clock()
        if self.has_audio:
            self._microphone = Microphone(self._microphone_name, buffer.put, self._now)
        if self._index is not None:
            self._camera = Camera(self._index, buffer.put, self._camera_ended, self._now)

    def _end(self) -> None:
        if self._buffer is not None:
            self._buffer.close()

    def _now(self) -> float:
        return self._clock() - self._started

    def _camera_ended(self) -> None:
        """Without pictures the sound goes on; without sound there is nothing left."""
        if self._microphone is not None:
            _log.warning("camera %s gives no more pictures; going on with sound", self._index)
        elif not self._stopped:
            self._camera_lost = True
            self._end()

    async def _close(self) -> None:
        self.stop()
        for device in (self._microphone, self._camera):
            if device is not None:
                await asyncio.to_thread(device.close)
