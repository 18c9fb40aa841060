"""Utterances made up for the tests of describing, and teachers that cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from stream.media import VideoFrame
from training.datasets.clip import Clip, MediaCut
from training.describe.description import Description, UtteranceKey
from training.describe.reading import Seen
from training.describe.teacher import Failure, Request
from training.describe.work import Task

SEEN = Description("The brows are raised.", "One hand points.", "Leaning forward.")
Answer = Description | Failure


def key(index: int) -> UtteranceKey:
    """Of the utterance of that number."""
    return UtteranceKey("meld", "train", "7", index)


def frames(seed: int, count: int = 2, size: tuple[int, int] = (48, 64)) -> tuple[VideoFrame, ...]:
    """Pictures of noise, a second apart."""
    draw = np.random.default_rng(seed)
    shape = (count, *size, 3)
    images = draw.integers(0, 256, shape, dtype=np.uint8)
    return tuple(VideoFrame(float(time), image) for time, image in enumerate(images))


def request(index: int = 0, text: str | None = "Hello there!", pictures: int = 2) -> Request:
    """An utterance of Ann's, with one turn before it."""
    return Request(key(index), "Ann", text, (("Ben", "Hi."),), frames(index, pictures))


def task(index: int, clip: bool = True) -> Task:
    """An utterance whose clip is `clip-INDEX.mp4`."""
    cut = Clip(MediaCut(Path(f"clip-{index}.mp4")), None)
    return Task(Request(key(index), "Ann", f"Word {index}."), cut if clip else None)


def read(clip: Clip) -> Seen:
    """The pictures of a task's clip, without a file."""
    assert clip.video is not None
    return Seen(frames(int(clip.video.path.stem.partition("-")[2])))


def write_clip(path: Path, seconds: int = 4, fps: int = 10) -> Path:
    """A film without sound in which a bright bar moves to the right."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for step in range(seconds * fps):
            image = np.full((48, 64, 3), 40, np.uint8)
            image[:, step % 56 : step % 56 + 8] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@dataclass
class PlainTeacher:
    """Answers as a function says, and keeps what it was asked."""

    answer: Callable[[Request], Answer] = lambda request: SEEN
    name: str = "plain"
    prompt_version: str = "1"
    batch: int = 4
    asked: list[list[Request]] = field(default_factory=list)

    def describe(self, requests: Sequence[Request]) -> list[Answer]:
        """One answer per request."""
        self.asked.append(list(requests))
        return [self.answer(request) for request in requests]

    @property
    def indices(self) -> list[list[int]]:
        """Utterances of each call."""
        return [[request.key.utterance for request in call] for call in self.asked]
