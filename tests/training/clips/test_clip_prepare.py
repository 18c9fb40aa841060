"""Preparing a corpus goes on where it stopped, and no clip ends it."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from clip_factory import clock_sound, dialogue, in_this_process, whole, write_film

from engine.model.spec import ModelSpec, compact
from stream.errors import UserError
from training.clips.cache import EntryStore
from training.clips.prepare import (
    CLIPS,
    DIED,
    ClipTask,
    PreparedReport,
    prepare,
    prepare_clip,
    read_prepared,
)
from training.datasets.clip import Clip, MediaCut
from training.datasets.dialogues import Dialogue


def spec() -> ModelSpec:
    """The compact spec on whole frames: quick, and the same code."""
    video = dataclasses.replace(compact().video, source="frame", frames=6)
    return compact(video=video)


def hostile(task: ClipTask) -> None:
    """As `prepare_clip`, but a right side crashes its process, as a broken codec does."""
    if task.clip.side == "right":
        os.kill(os.getpid(), signal.SIGSEGV)
    prepare_clip(task)


def unreachable(task: ClipTask) -> None:
    """What must not be called."""
    raise AssertionError(f"{task.key} was prepared again")


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A corpus, its cache, and what the first run said."""

    folder: Path
    dialogues: list[Dialogue]
    cache: Path
    report: PreparedReport


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Two dialogues with every kind of clip, prepared by a pool in which one process crashes."""
    folder = tmp_path_factory.mktemp("corpus")
    film = write_film(folder / "film.avi", 6.0, sound=clock_sound(6.0))
    mute = write_film(folder / "mute.mp4", 1.0)
    (folder / "broken.mp4").write_bytes(b"no film")
    first = dialogue(
        Clip(MediaCut(film, 1.0, 2.0), MediaCut(film, 1.0, 2.0), "left"),
        None,
        whole(mute),
        name="first",
    )
    second = dialogue(
        whole(folder / "broken.mp4"),
        whole(mute),
        whole(folder / "none.mp4"),
        Clip(MediaCut(film, 3.0, 4.0), MediaCut(film, 30.0, 31.0)),
        Clip(MediaCut(film, 1.0, 2.0), MediaCut(film, 1.0, 2.0), "right"),
        name="second",
    )
    cache = folder / "cache"
    report = prepare([first, second], spec(), cache, 1, work=hostile)
    return Prepared(folder, [first, second], cache, report)


def test_the_first_run_counts(prepared: Prepared) -> None:
    """Utterances with and without a clip; two files of the same bytes share an entry."""
    report = prepared.report
    assert (report.clips, report.without_clip) == (7, 1)
    assert (report.made, report.cached) == (7, 0)
    assert len(report.keys) == 7
    assert report.keys[1] == report.keys[3]


def test_every_flaw_is_told(prepared: Prepared) -> None:
    """Which utterance, which file, what of it and why."""
    told = [(f.dialogue, f.utterance, f.path.name, f.reason) for f in prepared.report.flaws]
    unreadable = "FILE is no readable audio or video: damaged, cut off or of another kind"
    assert told == [
        ("first", 2, "mute.mp4", "audio: FILE has no audio track"),
        ("second", 0, "broken.mp4", f"video: {unreadable}"),
        ("second", 0, "broken.mp4", f"audio: {unreadable}"),
        ("second", 1, "mute.mp4", "audio: FILE has no audio track"),
        ("second", 2, "none.mp4", "video: no file FILE"),
        ("second", 2, "none.mp4", "audio: no file FILE"),
        ("second", 3, "film.avi", "audio: FILE has no sound from 30 s to 31 s"),
        ("second", 4, "film.avi", f"video: {DIED}"),
        ("second", 4, "film.avi", f"audio: {DIED}"),
    ]
    assert next(iter(prepared.report.reasons)) == "audio: FILE has no audio track"


def test_what_could_be_read_is_there(prepared: Prepared) -> None:
    """The crash and the broken files cost the others nothing."""
    keys = prepared.report.keys
    clips = [read_prepared(key, spec(), prepared.cache) for key in keys]
    assert [len(clip.pictures) for clip in clips] == [6, 6, 0, 6, 0, 6, 0]
    assert [len(clip.functionals) for clip in clips] == [1, 0, 0, 0, 0, 0, 0]
    levels = [picture[:, 4:-4].mean() for picture in clips[0].pictures]
    assert levels == pytest.approx([20, 22, 24, 25, 27, 29], abs=1.5)


def test_a_second_run_reads_nothing_again(prepared: Prepared) -> None:
    """Broken and crashed clips too are not tried again, and are told again."""
    report = prepare(prepared.dialogues, spec(), prepared.cache, 1, work=unreachable)
    assert (report.made, report.cached) == (0, 7)
    assert report.flaws == prepared.report.flaws
    assert report.keys == prepared.report.keys


def test_a_moved_corpus_is_found(prepared: Prepared, tmp_path: Path) -> None:
    """The same bytes elsewhere are in the cache."""
    copy = tmp_path / "renamed.avi"
    copy.write_bytes((prepared.folder / "film.avi").read_bytes())
    moved = Clip(MediaCut(copy, 1.0, 2.0), MediaCut(copy, 1.0, 2.0), "left")
    report = prepare([dialogue(moved)], spec(), prepared.cache, 1, work=unreachable)
    assert report.keys == prepared.report.keys[:1]


def test_only_what_is_missing_is_made(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a kill: a file that is not there, a torn one and a repaired film are made."""
    monkeypatch.setattr("training.clips.prepare.map_isolated", in_this_process)
    store = EntryStore(prepared.cache / CLIPS)
    left, mute, broken, *_, right = prepared.report.keys
    before = store.path(left).read_bytes()
    store.path(left).unlink()
    torn = store.path(mute)
    torn.write_bytes(torn.read_bytes()[:50])
    kept = store.path(right).stat().st_mtime_ns
    write_film(prepared.folder / "broken.mp4", 1.5)
    report = prepare(prepared.dialogues, spec(), prepared.cache, 1)
    assert (report.made, report.cached) == (4, 3)
    assert store.path(left).read_bytes() == before
    assert store.path(right).stat().st_mtime_ns == kept
    assert report.keys[2] != broken
    assert len(read_prepared(report.keys[2], spec(), prepared.cache).pictures) == 6


def test_a_clip_that_is_gone_is_said(tmp_path: Path) -> None:
    """A cache emptied between preparing and reading."""
    with pytest.raises(UserError, match="preprocess"):
        read_prepared("ab" * 32, spec(), tmp_path)


def test_a_surprise_ends_only_its_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a library raises is the clip's reason."""

    def surprise(*_: object) -> None:
        raise KeyError("unheard of")

    monkeypatch.setattr("training.clips.inputs.read_clip", surprise)
    film = write_film(tmp_path / "film.mp4", 0.5)
    numbers = spec()
    task = ClipTask(whole(film), "cd" * 32, tmp_path / CLIPS, numbers.video, numbers.audio, None)
    prepare_clip(task)
    clip = read_prepared(task.key, numbers, tmp_path)
    assert clip.reasons[0] == "video: KeyError: 'unheard of'"
    assert np.array_equal(clip.functionals, np.zeros((0, 88)))


@pytest.mark.slow
def test_what_the_check_leaves_out_is_left_out(tmp_path: Path) -> None:
    """A clip much longer than the corpus says shows something else; other times, another entry."""
    film = write_film(tmp_path / "film.mp4", 3.0)
    said = dialogue(whole(film), whole(film))
    times = ((10.0, 11.0), (20.0, 23.0))
    utterances = tuple(
        dataclasses.replace(utterance, start=start, end=end)
        for utterance, (start, end) in zip(said.utterances, times, strict=True)
    )
    report = prepare(
        [dataclasses.replace(said, utterances=utterances)], spec(), tmp_path / "cache", 1
    )
    cut_wrongly, whole_one = (read_prepared(key, spec(), tmp_path / "cache") for key in report.keys)
    assert (len(cut_wrongly.pictures), len(whole_one.pictures)) == (0, 6)
    assert [(flaw.utterance, flaw.reason) for flaw in report.flaws if "mis-cut" in flaw.reason] == [
        (0, "video: mis-cut: FILE has 3.00 s, the corpus says 1.00 s")
    ]


@pytest.mark.slow
def test_a_clip_that_crashed_is_tried_again_when_asked(tmp_path: Path) -> None:
    """Too little memory for many processes is no fault of the clip."""
    film = write_film(tmp_path / "film.mp4", 0.5)
    said = [dialogue(Clip(MediaCut(film), None, "right"), Clip(MediaCut(film), None, "left"))]
    prepare(said, spec(), tmp_path / "cache", 1, work=hostile)
    kept = prepare(said, spec(), tmp_path / "cache", 1, work=unreachable)
    again = prepare(said, spec(), tmp_path / "cache", 1, retry_crashed=True)
    assert (kept.made, again.made, again.cached) == (0, 1, 1)
    assert [DIED in flaw.reason for flaw in kept.flaws] == [True, True]
    assert again.flaws == ()
