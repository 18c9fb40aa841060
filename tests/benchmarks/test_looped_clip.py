"""What a clip that goes round gives, and what of it is heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clip_factory import write_film

from benchmarks.looped_clip import LoopedClip
from stream.media import SAMPLE_RATE, AudioChunk, VideoFrame
from stream.segmenter import Boundary


async def played(clip: LoopedClip) -> tuple[list[AudioChunk], list[VideoFrame]]:
    """All that it gives."""
    items = [item async for item in clip]
    sound = [item for item in items if isinstance(item, AudioChunk)]
    return sound, [item for item in items if isinstance(item, VideoFrame)]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Two seconds of one loudness, and pictures."""
    sound = np.full(2 * SAMPLE_RATE, 0.3, np.float32)
    return write_film(tmp_path / "film.avi", 2.0, sound=sound)


async def test_a_clip_goes_round_on_one_clock(film: Path) -> None:
    """Time never goes back, and there is sound and a picture in every second."""
    clip = LoopedClip(film, "a", 7.0, [Boundary(0.5, 1.0)], pace="max")
    sound, frames = await played(clip)
    for times in ([one.time for one in sound], [one.time for one in frames]):
        assert times == sorted(times)
        assert {int(time) for time in times} == set(range(7))
    assert not clip.live


async def test_every_other_utterance_is_heard(film: Path) -> None:
    """The rest is silence, and another participant hears the others."""
    heard = []
    for offset in (0, 1):
        clip = LoopedClip(film, "a", 6.0, [Boundary(0.5, 1.0)], 2, offset, "max")
        sound, _ = await played(clip)
        rounds = [
            max(float(np.abs(one.samples).max()) for one in sound if k <= one.time / 2.0 < k + 1)
            for k in range(3)
        ]
        heard.append([level > 0.1 for level in rounds])
    assert heard == [[True, False, True], [False, True, False]]
