"""Media through a pipe."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from media_factory import moving, tone, write_media

from stream.errors import UserError
from stream.sources.container import Location
from stream.sources.file import FileSource
from stream.sources.pipe import Pipe, is_regular

_READ = """
import asyncio, sys
from stream.errors import UserError
from stream.media import AudioChunk
from stream.sources import open_source

async def read():
    async with open_source("pipe://stdin") as source:
        items = [item async for item in source]
    ends = [item.end for item in items if isinstance(item, AudioChunk)]
    print(source.name, round(ends[-1], 1), len(items) - len(ends))

try:
    asyncio.run(read())
except UserError as error:
    print(error)
"""


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


def _piped(path: Path, *, as_file: bool = False) -> str:
    """What a process says that reads standard input."""
    with path.open("rb") as file:
        given = {"stdin": file} if as_file else {"input": file.read()}
        done = subprocess.run(
            [sys.executable, "-c", _READ],
            **given,  # type: ignore[call-overload]
            capture_output=True,
            check=True,
            timeout=60,
        )
    return str(done.stdout.decode().strip())


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_what_is_piped_in_is_read_to_its_end(tmp_path: Path, suffix: str) -> None:
    """Sound and pictures, as of a file."""
    path = write_media(tmp_path / f"talk.{suffix}", pictures=moving(2), sound=tone(2))
    assert _piped(path) in ("stdin 2.0 30", "stdin 2.0 31")


def test_a_format_that_must_be_wound_back_is_explained(tmp_path: Path) -> None:
    """An mov has its index at its end; through `<` it can be read all the same."""
    path = write_media(tmp_path / "talk.mov", sound=tone(90), audio_codec="pcm_s16le")
    assert "an mp4 or mov must have its index first" in _piped(path)
    assert _piped(path, as_file=True) == "stdin 90.0 0"


def test_an_empty_pipe_is_no_media(tmp_path: Path) -> None:
    """The program before it may have failed."""
    path = tmp_path / "nothing"
    path.touch()
    assert _piped(path).startswith("standard input is no readable audio or video")


def test_a_terminal_is_refused() -> None:
    """Nobody types media."""
    leader, follower = os.openpty()
    try:
        with pytest.raises(UserError, match="standard input is a terminal"):
            Pipe(follower)
    finally:
        os.close(leader)
        os.close(follower)


def test_a_closed_input_is_said() -> None:
    """A service manager may have closed it."""
    with pytest.raises(UserError, match="standard input is closed"):
        is_regular(1_000_000)


def test_waiting_for_who_writes_ends_when_that_is_asked_for(ends: tuple[int, int]) -> None:
    """Ctrl-C is heard while the other program pauses."""
    pipe = Pipe(ends[0])
    os.write(ends[1], b"beginning")
    assert pipe.read(100) == b"beginning"
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read(100)))
    reader.start()
    pipe.stop()
    reader.join(10)
    assert read == [b""]
    os.close(ends[1])


async def test_a_source_that_waits_in_its_opening_can_be_cancelled(ends: tuple[int, int]) -> None:
    """Nothing has come through the pipe yet."""
    source = FileSource(Location("pipe:", "standard input", source=Pipe(ends[0])), name="stdin")
    opening = asyncio.create_task(source.__aenter__())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    os.close(ends[1])
