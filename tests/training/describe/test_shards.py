"""Several processes share a corpus, and what they wrote becomes one file."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import pytest
from requests_double import SEEN, key, request

from stream.errors import UserError
from training.describe.description import Description
from training.describe.records import Record, RecordFile, read_descriptions, read_records
from training.describe.shards import Shard, join
from training.describe.work import Task

EARLY, LATE = "2026-11-22T12:00:00+00:00", "2026-11-22T13:00:00+00:00"
OTHER = Description("frowns", "", "")


def record(index: int, described: Description = SEEN, created: str = EARLY) -> Record:
    """A line about an utterance."""
    return Record.of(key(index), ("model", "prompt-1", "abc"), described, 1, created)


def write(path: Path, *records: Record) -> None:
    """Write a file in one go."""
    with RecordFile(path) as file:
        file.append(records)


def tasks(dialogues: int) -> list[Task]:
    """Three utterances of each dialogue."""
    made = []
    for dialogue in range(dialogues):
        for index in range(3):
            one = request(index)
            own = dataclasses.replace(one.key, dialogue=str(dialogue))
            made.append(Task(dataclasses.replace(one, key=own), None))
    return made


@pytest.mark.parametrize("count", [1, 2, 4, 9])
def test_every_utterance_is_in_one_part(count: int) -> None:
    """And dialogues stay whole, in their order."""
    every = tasks(7)
    parts = [Shard(number, count).of(every) for number in range(1, count + 1)]
    assert sorted(every.index(task) for part in parts for task in part) == list(range(21))
    for part in parts:
        places = [every.index(task) for task in part]
        assert places == sorted(places)
        assert len(part) % 3 == 0
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 3


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "1", "a/b", "-1/4", "1/4/2", ""])
def test_what_is_no_part_is_refused(text: str) -> None:
    """As the command line says it."""
    with pytest.raises(argparse.ArgumentTypeError, match="a part of a whole"):
        Shard.parse(text)
    assert Shard.parse("2/4") == Shard(2, 4)


def test_parts_become_one_file(tmp_path: Path) -> None:
    """What is newer counts, the files of the parts go, and joining again changes nothing."""
    whole = tmp_path / "descriptions.jsonl"
    write(whole, record(1), record(2, created=LATE))
    write(Shard(1, 2).file(whole), record(1, OTHER, LATE), record(2, OTHER, EARLY))
    write(Shard(2, 2).file(whole), record(3))
    for _ in range(2):
        with RecordFile(whole) as file:
            join(file)
        assert read_descriptions(whole) == {key(1): OTHER, key(2): SEEN, key(3): SEEN}
    assert {path.name for path in tmp_path.iterdir()} <= {whole.name, f"{whole.name}.lock"}


def test_two_runs_do_not_share_a_part(tmp_path: Path) -> None:
    """Nor is one joined that is still being written: nothing of it is lost."""
    whole = tmp_path / "descriptions.jsonl"
    part = Shard(1, 2).file(whole)
    with RecordFile(part) as writing:
        writing.append([record(1)])
        with pytest.raises(UserError, match=f"another run is writing {part}"):
            RecordFile(part).__enter__()
        with RecordFile(whole) as file, pytest.raises(UserError, match="another run is writing"):
            join(file)
    assert set(read_records(part)) == {key(1)}


def test_a_part_knows_what_the_whole_has(tmp_path: Path) -> None:
    """Also while that is being written: half a line is not taken."""
    whole = tmp_path / "descriptions.jsonl"
    assert read_records(whole) == {}
    write(whole, record(1), record(2))
    with whole.open("ab") as file:
        file.write(record(3).to_line()[:40])
    known = read_records(whole)
    assert set(known) == {key(1), key(2)}
    with RecordFile(Shard(1, 2).file(whole), known) as part:
        assert set(part.latest) == {key(1), key(2)}
