"""The JSON lines sink."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import pytest

from engine.events import EmotionEvent
from engine.sinks import JsonlSink, Sink, SinkGoneError
from stream.errors import UserError


def read(path: Path) -> list[EmotionEvent]:
    """The events of a file."""
    return [EmotionEvent.loads(line) for line in path.read_bytes().splitlines()]


async def test_one_event_a_line(tmp_path: Path, make_event: Any) -> None:
    """The folder is made, and each event is in the file as soon as it is published."""
    path = tmp_path / "a" / "b" / "events.jsonl"
    events = [make_event(turn=n, text="two\nlines ☃") for n in range(3)]
    sink: Sink = JsonlSink(path)
    async with sink:
        for count, event in enumerate(events, start=1):
            await sink.publish(event)
            assert read(path) == events[:count]


async def test_appends(tmp_path: Path, make_event: Any) -> None:
    """Another run adds to the file."""
    path = tmp_path / "events.jsonl"
    for turn in range(2):
        async with JsonlSink(path) as sink:
            await sink.publish(make_event(turn=turn))
    assert [event.turn for event in read(path)] == [0, 1]


async def test_starts_a_new_line_after_a_cut_off_one(tmp_path: Path, make_event: Any) -> None:
    """An event that a crash cut in half does not swallow the next one."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"specversion": "1')
    async with JsonlSink(path) as sink:
        await sink.publish(make_event())
    half, whole = path.read_bytes().splitlines()
    assert half == b'{"specversion": "1'
    assert EmotionEvent.loads(whole) == make_event()


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """An unwritable path is one line with what to do."""
    with pytest.raises(UserError, match="choose another file with --jsonl") as caught:
        await JsonlSink(tmp_path).__aenter__()
    assert "\n" not in str(caught.value)


async def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """A file where the folder should be is explained too."""
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write events"):
        await JsonlSink(tmp_path / "file" / "events.jsonl").__aenter__()


async def test_a_half_written_event_is_taken_back(tmp_path: Path, make_event: Any) -> None:
    """When the disk fills in the middle of an event, the file keeps whole events only."""
    path = tmp_path / "events.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with JsonlSink(path) as sink:
        await sink.publish(make_event(turn=0))
        size = path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                await sink.publish(make_event(turn=1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert path.stat().st_size == size
        await sink.publish(make_event(turn=1))
    assert [event.turn for event in read(path)] == [0, 1]


async def test_a_pipe(tmp_path: Path, make_event: Any) -> None:
    """Another program can read along through a named pipe."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        async with JsonlSink(path) as sink:
            await sink.publish(make_event())
            assert EmotionEvent.loads(os.read(reader, 100_000)) == make_event()
    finally:
        os.close(reader)


async def test_a_pipe_without_a_reader_is_not_waited_for(tmp_path: Path) -> None:
    """To wait would hold up everything else, Ctrl-C too."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(UserError, match="start its reader first"):
        await JsonlSink(path).__aenter__()


async def test_a_pipe_whose_reader_goes(tmp_path: Path, make_event: Any) -> None:
    """The sink has come to its end, and says so."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    async with JsonlSink(path) as sink:
        await sink.publish(make_event())
        os.close(reader)
        with pytest.raises(SinkGoneError):
            await sink.publish(make_event())


async def test_a_slow_reader_of_a_pipe_gets_every_event_whole(
    tmp_path: Path, make_event: Any
) -> None:
    """What was begun is gone on with, and nothing waits for the reader."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    got, waiting = b"", [make_event(turn=turn, text="word " * 3_000) for turn in range(20)]
    sent = list(waiting)
    async with JsonlSink(path) as sink:
        while waiting:
            try:
                await sink.publish(waiting[0])
            except BlockingIOError:
                got += os.read(reader, 10_000)
            else:
                del waiting[0]
        while got.count(b"\n") < len(sent):
            got += os.read(reader, 100_000)
    os.close(reader)
    assert [EmotionEvent.loads(line) for line in got.splitlines()] == sent
