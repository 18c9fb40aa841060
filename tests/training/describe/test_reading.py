"""Reading pictures ahead of the teacher."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from requests_double import frames, read, task, write_clip

from engine.model.spec import compact
from training.datasets.clip import Clip, MediaCut
from training.describe.pictures import frames_hash
from training.describe.reading import READERS, Seen, clip_reader, read_ahead
from training.describe.work import Task


def test_pictures_come_in_the_order_of_the_tasks() -> None:
    """Each with its own pictures and their hash, although several are read at once."""
    tasks = [task(index) for index in range(30)]
    sights = list(read_ahead(tasks, read, lambda: 7))
    assert [sight.request.key.utterance for sight in sights] == list(range(30))
    assert [sight.frames_hash for sight in sights] == [frames_hash(frames(i)) for i in range(30)]
    assert all(len(sight.request.frames) == 2 and not sight.reason for sight in sights)


def test_only_so_many_are_held() -> None:
    """Pictures of a whole corpus do not fit into memory."""
    taken = 0

    def tasks() -> Iterator[Task]:
        nonlocal taken
        for index in range(50):
            taken += 1
            yield task(index)

    with closing(read_ahead(tasks(), read, lambda: 5)) as sights:
        for number, _ in enumerate(sights, 1):
            assert taken <= number + 5


def test_an_utterance_without_a_clip_is_not_read() -> None:
    """Its reason is fixed, and so is the hash of no pictures."""
    (sight,) = read_ahead([task(0, clip=False)], read, lambda: 1)
    assert (sight.reason, sight.request.frames) == ("no pictures", ())
    assert sight.frames_hash == frames_hash(())


def test_a_clip_without_pictures_says_why() -> None:
    """The reason begins alike, so that failures can be counted."""
    (sight,) = read_ahead([task(0)], lambda clip: Seen((), "it is broken"), lambda: 1)
    assert sight.reason == "no pictures: it is broken"


def test_closing_early_leaves_no_thread() -> None:
    """An interrupted run does not go on reading."""
    with closing(read_ahead(map(task, range(100)), read, lambda: 10)) as sights:
        next(sights)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pictures")]
    assert READERS >= 1


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of a moving bar."""
    return write_clip(tmp_path_factory.mktemp("media") / "clip.mp4", seconds=4)


def test_a_clip_gives_pictures_spread_over_it(clip: Path) -> None:
    """As many as asked for, from beginning to end, of the cut alone."""
    look = clip_reader(compact().video, 4)
    whole = look(Clip(MediaCut(clip), MediaCut(clip)))
    assert len(whole.frames) == 4
    times = [frame.time for frame in whole.frames]
    assert np.diff(times) == pytest.approx([1, 1, 1], abs=0.15)
    part = look(Clip(MediaCut(clip, 1, 2), None))
    assert len(part.frames) == 4
    assert all(1 <= frame.time < 2 for frame in part.frames)
    assert frames_hash(part.frames) != frames_hash(whole.frames)
    assert frames_hash(look(Clip(MediaCut(clip), None)).frames) == frames_hash(whole.frames)


def test_the_speaker_s_side_is_shown(clip: Path) -> None:
    """Of a picture with two speakers, the half of the one who speaks."""
    look = clip_reader(compact().video, 2)
    both = look(Clip(MediaCut(clip), None))
    left = look(Clip(MediaCut(clip), None, side="left"))
    width = both.frames[0].image.shape[1]
    assert (left.frames[0].image == both.frames[0].image[:, : width // 2]).all()


def test_a_broken_clip_is_absent_with_its_reason(tmp_path: Path) -> None:
    """Missing, garbage, or a cut behind the end: never an exception."""
    garbage = tmp_path / "garbage.mp4"
    garbage.write_bytes(b"no video" * 100)
    look = clip_reader(compact().video, 2)
    for path in (garbage, tmp_path / "missing.mp4"):
        seen = look(Clip(MediaCut(path), None))
        assert seen.frames == ()
        assert path.name in seen.reason
    tasks = [dataclasses.replace(task(0), clip=Clip(MediaCut(garbage), None))]
    (sight,) = read_ahead(tasks, look, lambda: 1)
    assert sight.reason.startswith("no pictures: video: ")
