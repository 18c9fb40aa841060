"""The file of descriptions."""

from __future__ import annotations

import dataclasses
import json
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from requests_double import SEEN, key

from stream.errors import UserError
from training.describe.description import Description
from training.describe.records import Record, RecordFile, read_descriptions
from training.describe.teacher import Failure

SOURCE = ("model", "prompt-1", "abc")


def record(index: int, result: Description | Failure = SEEN, model: str = "model") -> Record:
    """A line about an utterance."""
    return Record.of(key(index), (model, *SOURCE[1:]), result, 1, "2026-11-22T12:00:00+00:00")


def write(path: Path, *records: Record) -> Path:
    """Write a file in one go."""
    with RecordFile(path) as file:
        file.append(records)
    return path


@contextmanager
def disk_of(bytes_left: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_descriptions_come_back_as_they_were_written(tmp_path: Path) -> None:
    """Also with characters that break lines or have no encoding."""
    odd = Description("A \u2028 smile\ud800.", "“Ça” 你好", 'back\\slash "quote"')
    path = write(tmp_path / "new" / "out.jsonl", record(1), record(2, odd))
    assert read_descriptions(path) == {key(1): SEEN, key(2): odd}


def test_a_line_is_what_the_document_says(tmp_path: Path) -> None:
    """Every key of docs/describe.md, and no other."""
    path = write(tmp_path / "out.jsonl", record(1), record(2, Failure("no", "Sorry.")))
    described, failed = map(json.loads, path.read_text().splitlines())
    common = {"corpus": "meld", "split": "train", "dialogue": "7", "model": "model"}
    common |= {"prompt_version": "prompt-1", "frames": "abc", "attempts": 1}
    common |= {"created": "2026-11-22T12:00:00+00:00"}
    assert described == {**common, "utterance": 1, "description": dataclasses.asdict(SEEN)}
    assert failed == {**common, "utterance": 2, "failure": "no", "answer": "Sorry."}


def test_the_last_line_of_an_utterance_counts(tmp_path: Path) -> None:
    """A later description replaces a failure, and a later failure a description."""
    path = write(tmp_path / "out.jsonl", record(1, Failure("no")), record(2))
    write(path, record(1), record(2, Failure("no")))
    assert read_descriptions(path) == {key(1): SEEN}


def test_a_record_is_either_a_description_or_a_failure() -> None:
    """A line that says both or neither is refused."""
    with pytest.raises(ValueError, match="exactly one"):
        record(1, Description())
    with pytest.raises(ValueError, match="exactly one"):
        dataclasses.replace(record(1), failure="no")


@pytest.mark.parametrize("cut", [1, 20, 150, -2])
def test_a_line_that_a_kill_cut_off_is_taken_out(tmp_path: Path, cut: int) -> None:
    """The next run starts with whole lines, wherever the kill fell."""
    path = write(tmp_path / "out.jsonl", record(1))
    whole = path.read_bytes()
    path.write_bytes(whole + record(2).to_line()[:cut])
    with RecordFile(path) as file:
        assert list(file.latest) == [key(1)]
    assert path.read_bytes() == whole


def test_a_line_that_only_lacks_its_end_is_kept(tmp_path: Path) -> None:
    """What was computed is not thrown away for a line break."""
    path = write(tmp_path / "out.jsonl", record(1), record(2))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with RecordFile(path) as file:
        assert list(file.latest) == [key(1), key(2)]
    assert path.read_bytes() == whole


@pytest.mark.parametrize("content", [b"a,b\n1,2", b"notes without a line end", b'{"corpus": 1}'])
def test_a_file_that_is_not_ours_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    """A wrong --out costs nothing."""
    path = tmp_path / "own.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"own\.csv, line 1: no record"), RecordFile(path):
        pass
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nonsense", "Expecting value"),
        ("[]", "must be an object"),
        ('{"corpus": "meld"}', "split, dialogue, utterance"),
        ("[" * 100_000, "line 3"),
        (json.dumps({**json.loads(record(1).to_line()), "utterance": "1"}), "utterance must be"),
        (json.dumps({**json.loads(record(1).to_line()), "feeling": "x"}), "unknown key feeling"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    """File, line and reason, and nothing is changed."""
    path = write(tmp_path / "out.jsonl", record(1), record(2))
    with path.open("a") as file:
        file.write(line + "\n")
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"out\.jsonl, line 3") as raised:
        read_descriptions(path)
    assert reason in str(raised.value)
    with pytest.raises(UserError, match="line 3"), RecordFile(path):
        pass
    assert path.read_bytes() == before
    with pytest.raises(UserError, match="line 3"), RecordFile(path):
        pass  # and the lock was given back


def test_an_incomplete_file_says_how_it_is_mended(tmp_path: Path) -> None:
    """Training on a file that a kill cut off names the command that goes on."""
    path = write(tmp_path / "out.jsonl", record(1))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"line 1.*running training.describe again"):
        read_descriptions(path)


def test_a_missing_file_says_what_writes_it(tmp_path: Path) -> None:
    """The next step is in the message."""
    with pytest.raises(UserError, match=r"No such file.*training.describe"):
        read_descriptions(tmp_path / "none.jsonl")


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    """The second is refused while the first runs, and then let in."""
    path = tmp_path / "out.jsonl"
    refused: list[str] = []

    def second() -> None:
        try:
            write(path, record(2))
        except UserError as error:
            refused.append(str(error))

    with RecordFile(path) as file:
        other = threading.Thread(target=second)
        other.start()
        other.join()
        file.append([record(1)])
    assert refused == [
        f"another run is writing {path}: wait for it, or choose another file with --out"
    ]
    second()
    assert list(read_descriptions(path)) == [key(1), key(2)]


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """The lines before stay, half of a line is taken back, and later there is room again."""
    path = write(tmp_path / "out.jsonl", record(1))
    whole = path.read_bytes()
    with RecordFile(path) as file:
        with (
            disk_of(len(whole) + 100),
            pytest.raises(UserError, match=r"cannot write .*File too large.*again"),
        ):
            file.append([record(2), record(3)])
        assert path.read_bytes() == whole
        assert list(file.latest) == [key(1)]
        file.append([record(2)])
    assert list(read_descriptions(path)) == [key(1), key(2)]


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    """Before a model is loaded, not after the first batch."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match=r"cannot write .*--out"),
        RecordFile(tmp_path / "file" / "out.jsonl"),
    ):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*--out"), RecordFile(tmp_path / "folder"):
        pass
