"""Pictures of clips, read ahead of the teacher so that it does not wait for decoding."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from engine.model.spec import VideoSpec
from stream.media import VideoFrame
from training.clips.utterances import read_clip
from training.datasets.clip import Clip
from training.describe.pictures import frames_hash
from training.describe.teacher import Request
from training.describe.work import Task

NO_PICTURES = "no pictures"
"""How the reason of a failure begins where there is nothing to show to a teacher."""
READERS = max(1, min(8, os.cpu_count() or 1))
"""Threads: decoding leaves the interpreter to others."""


@dataclass(frozen=True, eq=False)
class Seen:
    """The pictures of a clip."""

    frames: tuple[VideoFrame, ...]
    reason: str = ""
    """Why there are none."""


FrameReader = Callable[[Clip], Seen]


@dataclass(frozen=True, eq=False)
class Sight:
    """An utterance with its pictures."""

    request: Request
    frames_hash: str
    reason: str
    """Why there are no pictures; empty where there are."""


def clip_reader(video: VideoSpec, count: int) -> FrameReader:
    """Reads at most `count` pictures of a clip, spread evenly over it."""

    def read(clip: Clip) -> Seen:
        seen = read_clip(dataclasses.replace(clip, audio=None), video, count)
        return Seen(seen.frames, "; ".join(seen.degraded) if not seen.frames else "")

    return read


def read_ahead(
    tasks: Iterable[Task], read: FrameReader, ahead: Callable[[], int]
) -> Generator[Sight]:
    """Tasks with their pictures, in order.

    Args:
        tasks: What to read.
        read: Reads the pictures of one.
        ahead: How many to hold besides the one that is asked for; may change.
    """
    waiting: deque[Future[Sight]] = deque()
    pool = ThreadPoolExecutor(READERS, thread_name_prefix="pictures")
    try:
        for task in tasks:
            waiting.append(pool.submit(look, task, read))
            while len(waiting) > max(0, ahead()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def look(task: Task, read: FrameReader) -> Sight:
    """Read the pictures of one task."""
    if task.heard:
        # In place of pictures; an utterance without measures is the teacher's to refuse.
        digest = hashlib.sha256(repr(task.request.prosody).encode()).hexdigest()
        return Sight(task.request, digest, "")
    if task.clip is None:
        return Sight(task.request, frames_hash(()), NO_PICTURES)
    seen = read(task.clip)
    reason = "" if seen.frames else ": ".join(filter(None, (NO_PICTURES, seen.reason)))
    request = dataclasses.replace(task.request, frames=tuple(seen.frames))
    return Sight(request, frames_hash(seen.frames), reason)
