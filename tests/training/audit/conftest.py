"""What the tests of the audit share."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.training.audit.make_items import MakeItem


@pytest.fixture
def make_item() -> MakeItem:
    """Makes described utterances."""
    return MakeItem()


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
