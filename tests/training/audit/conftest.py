"""A small corpus with descriptions, made in the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from training.audit.items import Item
from training.datasets.clip import Clip
from training.datasets.dialogues import DialogueUtterance
from training.describe.description import Description, UtteranceKey

MakeItem = Callable[..., Item]


@pytest.fixture
def make_item() -> MakeItem:
    """Make one described utterance; every call takes the next number in dialogue d0."""
    number = 0

    def make(
        face: str = "The brows are raised.",
        *,
        body: str = "",
        posture: str = "",
        label: str = "joy",
        speaker: str = "Ross",
        text: str = "Hi.",
        dialogue: str = "d0",
        clip: Clip | None = None,
    ) -> Item:
        nonlocal number
        number += 1
        utterance = DialogueUtterance(dialogue, number, speaker, text, label, None, None, clip=clip)
        key = UtteranceKey("meld", "dev", dialogue, number)
        return Item(key, Description(face, body, posture), utterance)

    return make


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """One second of grey pictures, 64x48 at 10 a second."""
    path = tmp_path / "clip.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for brightness in range(0, 200, 20):
            image = np.full((48, 64, 3), brightness, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path
