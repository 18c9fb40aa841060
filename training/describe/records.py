"""The output of a teacher: JSONL, one line an utterance, that survives a kill at any moment.

Lines are only ever added, each flushed to the disk, so a line that is there stays there. A
kill can leave the last line incomplete: it is cut off when the file is opened again, and
that utterance is asked for again. Of several lines of one utterance the last one counts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from engine.model.typed import build, require
from stream.errors import UserError
from training.describe.description import Description, UtteranceKey
from training.describe.teacher import Failure

_OPENING = b'{"corpus": "'
"""How every line begins."""

DESCRIPTIONS = "descriptions.jsonl"
"""Below the runs folder, where `training.run` has the teacher write."""


@dataclass(frozen=True)
class Record:
    """One line."""

    corpus: str
    split: str
    dialogue: str
    utterance: int
    model: str
    """Name of the teacher."""
    prompt_version: str
    frames: str
    """SHA-256 of what the teacher saw, `pictures.frames_hash`; of nothing without pictures."""
    attempts: int
    """How often the teacher was asked; 0 where there was nothing to ask with."""
    created: str
    """ISO 8601, UTC."""
    description: Description = field(default_factory=Description)
    failure: str = ""
    """Why there is no description; empty where there is one."""
    answer: str = ""
    """What the teacher answered, where that could not be used."""

    def __post_init__(self) -> None:
        """Refuse lines that say both or neither."""
        require(
            bool(self.description.text()) != bool(self.failure),
            "exactly one of description and failure must be there",
        )

    @classmethod
    def of(
        cls,
        key: UtteranceKey,
        source: tuple[str, str, str],
        result: Description | Failure,
        attempts: int,
        created: str,
    ) -> Record:
        """What a teacher said of an utterance.

        Args:
            key: The utterance.
            source: See the attribute.
            result: What it said.
            attempts: See the attribute.
            created: See the attribute.
        """
        said: dict[str, Any]
        if isinstance(result, Failure):
            said = {"failure": result.reason, "answer": result.answer}
        else:
            said = {"description": result}
        named = zip(("model", "prompt_version", "frames"), source, strict=True)
        fields = {**dataclasses.asdict(key), **dict(named), **said}
        return cls(attempts=attempts, created=created, **fields)

    @property
    def key(self) -> UtteranceKey:
        """The utterance."""
        return UtteranceKey(self.corpus, self.split, self.dialogue, self.utterance)

    @property
    def source(self) -> tuple[str, str, str]:
        """Model, prompt version and hash of the frames: with others the answer is another."""
        return self.model, self.prompt_version, self.frames

    def to_line(self) -> bytes:
        """As it stands in the file, with its line end."""
        document = dataclasses.asdict(self)
        for name in ("failure", "answer"):
            if not document[name]:
                del document[name]
        if self.failure:
            del document["description"]
        # ASCII with escapes: a lone surrogate in an answer has no UTF-8.
        return json.dumps(document).encode() + b"\n"


class RecordFile:
    """The file while it is being written; one process at a time.

    Args:
        path: The file; it and its folder are made where they are missing.
        known: Records of another file that need not be written here again.
    """

    def __init__(self, path: Path, known: Mapping[UtteranceKey, Record] | None = None) -> None:
        self.path = path
        self._known = known or {}
        self.latest: dict[UtteranceKey, Record] = {}
        """The last record of every utterance."""
        self._lock = FileLock(path.with_name(path.name + ".lock"), timeout=0)

    def __enter__(self) -> Self:
        """Lock and read the file, and cut an incomplete last line off.

        Raises:
            UserError: Another process writes it, it cannot be written, or a line is bad.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            self._file = FileIO(self.path, "ab")
        except Timeout:
            raise UserError(
                f"another run is writing {self.path}: "
                "wait for it, or choose another file with --out"
            ) from None
        except OSError as error:
            self._lock.release()
            raise self._cannot_write(error) from error
        try:
            self._mend()
            own = {record.key: record for record in _read(self.path)}
            self.latest = {**self._known, **own}
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file and let others write it."""
        self._close()

    def append(self, records: Iterable[Record]) -> None:
        """Add records; when this returns they are on the disk.

        Raises:
            UserError: The disk is full, for example. The file is as it was before.
        """
        new = list(records)
        rest = memoryview(b"".join(record.to_line() for record in new))
        size = self._file.seek(0, os.SEEK_END)
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):  # the next start cuts off what stays
                self._file.truncate(size)
            raise self._cannot_write(error) from error
        self.latest.update((record.key, record) for record in new)

    def _mend(self) -> None:
        """End the file with a whole line; a file that is not ours stays as it is."""
        data = self.path.read_bytes()
        last = data[data.rfind(b"\n") + 1 :]
        if not last or not _OPENING.startswith(last[: len(_OPENING)]):
            return
        try:
            json.loads(last)
            self._file.write(b"\n")  # only the line end is missing
        except ValueError:
            self._file.truncate(len(data) - len(last))
        os.fsync(self._file.fileno())

    def _close(self) -> None:
        self._file.close()
        self._lock.release()

    def _cannot_write(self, error: OSError) -> UserError:
        return UserError(
            f"cannot write {self.path} ({error.strerror or error}): all lines before are kept; "
            "make room or choose another file with --out, and run the same command again"
        )


def read_records(path: Path) -> dict[UtteranceKey, Record]:
    """The last record of every utterance; none where there is no file.

    The file may be written meanwhile: of a line that is half there nothing is taken.

    Raises:
        UserError: The file cannot be read, or a line is no record, naming it.
    """
    if not path.exists():
        return {}
    return {record.key: record for record in _read(path, whole=False)}


def read_descriptions(path: Path) -> dict[UtteranceKey, Description]:
    """The descriptions of a file.

    Of several lines of an utterance the last one counts; an utterance whose last line is a
    failure has no description.

    Raises:
        UserError: The file cannot be read, or a line is no record, naming it.
    """
    latest = {record.key: record for record in _read(path)}
    return {key: record.description for key, record in latest.items() if not record.failure}


def _read(path: Path, *, whole: bool = True) -> Iterator[Record]:
    number = 1
    try:
        with path.open("rb") as file:
            for line in file:
                if not (whole or line.endswith(b"\n")):
                    return
                yield build(Record, json.loads(line), "line")
                number += 1
    except OSError as error:
        raise UserError(
            f"cannot read descriptions from {path} ({error.strerror}): "
            "`python -m training.describe --help` says how to write them"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}, line {number}: no record of a description ({error}): an incomplete last "
            "line is mended by running training.describe again; take any other bad line out"
        ) from error
