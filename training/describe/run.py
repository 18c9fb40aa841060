"""Have a teacher describe every utterance of a corpus, batch by batch, into a file."""

from __future__ import annotations

import dataclasses
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice, takewhile
from pathlib import Path
from threading import Event, current_thread, main_thread

from rich.progress import Progress

from stream.errors import UserError
from training.datasets.corpora import open_corpus
from training.datasets.corpus import Corpus
from training.describe.description import Description, UtteranceKey
from training.describe.reading import NO_PICTURES, FrameReader, Sight, clip_reader, look, read_ahead
from training.describe.records import Record, RecordFile, read_records
from training.describe.shards import Shard, join
from training.describe.teacher import Failure, Request, Teacher, TeacherDownError
from training.describe.teachers import HEARING, REMEMBERING, TeacherOptions, open_teacher
from training.describe.work import Task, tasks_of
from training.progress import console, progress_bar
from training.recipe import Recipe

SPLITS = ("train", "dev")
"""What stage 1 learns from and chooses by."""

Settled = dict[UtteranceKey, tuple[Description | Failure, int]]
"""What to write down, and how often the teacher was asked for it."""


@dataclass(frozen=True)
class Effort:
    """How hard a run tries."""

    attempts: int = 3
    """Questions about one utterance, until an answer can be used."""
    retry_failed: bool = False
    """Ask again about what failed in an earlier run."""

    def __post_init__(self) -> None:
        """Refuse to ask nothing."""
        if self.attempts < 1:
            raise UserError("--attempts: at least 1")


@dataclass
class Summary:
    """What a run did."""

    total: int
    """Utterances there are."""
    described: int = 0
    failed: int = 0
    without: int = 0
    """Utterances that have no clip, so that there was nothing to describe."""
    kept: int = 0
    """Those whose line of an earlier run still holds."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Of the failures."""

    @property
    def done(self) -> int:
        """Utterances that have a line; fewer than all where the run was interrupted."""
        return self.described + self.failed + self.without + self.kept

    def count(self, record: Record) -> None:
        """Count a new line."""
        if record.failure == NO_PICTURES:
            self.without += 1
        elif record.failure:
            self.failed += 1
            self.reasons[record.failure] += 1
        else:
            self.described += 1


def describe_recipe(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    teacher: TeacherOptions | None = None,
    splits: Sequence[str] = SPLITS,
    limit: int | None = None,
    effort: Effort | None = None,
    corpus: Corpus | None = None,
    shard: Shard | None = None,
) -> Summary:
    """Describe the corpus of a recipe.

    Args:
        recipe: Says which corpus and, by default, which teacher.
        data: Folder of corpora.
        out: JSONL, see `training.describe.records`.
        teacher: Another one than the recipe's.
        splits: Which to describe.
        limit: Only the first utterances.
        effort: How hard to try.
        corpus: The recipe's, where not all of it is wanted.
        shard: Only this part, into a file of its own; without it the files of parts are joined
            first.

    Raises:
        UserError: No teacher is named or it is down, the corpus has no clips, or the file
            cannot be written. What was described before is kept.
    """
    options = teacher or TeacherOptions.of(recipe)
    least = recipe.settings.clips.least
    corpus = corpus or open_corpus(recipe.corpus, data / recipe.corpus, least)
    tasks = tasks_of(corpus, splits, limit, heard=options.kind in HEARING)
    read = clip_reader(recipe.spec.video, options.frames)
    known = None
    if shard is not None:
        tasks, known = shard.of(tasks), read_records(out)
        out = shard.file(out)
    # Locked and checked before a model is loaded, which takes long.
    with RecordFile(out, known) as file:
        if shard is None:
            join(file)
        remembers = options.kind in REMEMBERING
        return describe(
            tasks, open_teacher(options), file, read, effort or Effort(), remembers=remembers
        )


def describe(
    tasks: Sequence[Task],
    teacher: Teacher,
    file: RecordFile,
    read: FrameReader,
    effort: Effort,
    *,
    remembers: bool = False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Summary:
    """Describe utterances, batch by batch; every batch is on the disk before the next begins.

    An interrupt (Ctrl-C) ends the run after the current batch, a second one at once.

    Args:
        tasks: The utterances.
        teacher: Who describes them.
        file: Where the lines go, and what is there already.
        read: Reads the pictures of a clip.
        effort: How hard to try.
        remembers: Show the teacher a dialogue from its start, also where a run goes on in the
            middle of one, so that it says the same as without the interruption.
        clock: The time now.

    Raises:
        UserError: The teacher is down, or the file cannot be written.
    """
    sights = read_ahead(tasks, read, lambda: teacher.batch)
    with closing(sights), progress_bar() as bar, _interruptible() as stop:
        run = _Run(teacher, file, effort, clock, bar, len(tasks))
        seen = zip(tasks, takewhile(lambda _: not stop.is_set(), sights), strict=False)
        wanted = run.wanted(seen, read if remembers else None)
        while (batch := list(islice(wanted, teacher.batch))) and not stop.is_set():
            run.work(batch)
    return run.summary


def ask(teacher: Teacher, requests: Sequence[Request], attempts: int, settled: Settled) -> None:
    """Ask about utterances until every answer can be used, or `attempts` times.

    Args:
        teacher: Who is asked.
        requests: At their first attempt.
        attempts: At least 1.
        settled: Gets what need not be asked again, also when this raises.

    Raises:
        TeacherDownError: As the teacher does.
    """
    for attempt in range(1, attempts + 1):
        waiting = [
            dataclasses.replace(request, attempt=attempt)
            for request in requests
            if request.key not in settled
        ]
        if not waiting:
            return
        try:
            answers = dict(enumerate(teacher.describe(waiting)))
        except TeacherDownError as error:
            for place, answer in error.answers.items():
                if isinstance(answer, Description):
                    settled[waiting[place].key] = answer, attempt
            raise
        for request, answer in zip(waiting, answers.values(), strict=True):
            again = isinstance(answer, Failure) and not answer.final and attempt < attempts
            if not again:
                settled[request.key] = answer, attempt


class _Run:
    """One pass over the utterances, and what has come of it."""

    def __init__(
        self,
        teacher: Teacher,
        file: RecordFile,
        effort: Effort,
        clock: Callable[[], datetime],
        bar: Progress,
        total: int,
    ) -> None:
        self.summary = Summary(total)
        self._teacher, self._file, self._effort, self._clock = teacher, file, effort, clock
        self._bar = bar
        self._row = bar.add_task(teacher.name, total=total, note="")

    def wanted(
        self, seen: Iterable[tuple[Task, Sight]], again: FrameReader | None
    ) -> Iterator[Sight]:
        """Those that no line of an earlier run answers.

        Args:
            seen: Every task with its pictures.
            again: For a teacher that remembers: what is before one in its dialogue is wanted
                too, and its pictures are read again, as those of an hour do not fit into memory.
        """
        before: list[Task] = []
        for task, sight in seen:
            if before and _dialogue(before[0]) != _dialogue(task):
                before = []
            if not self._holds(sight):
                if again is not None:
                    yield from (look(earlier, again) for earlier in before)
                yield sight
                before = []
                continue
            self.summary.kept += 1
            self._show()
            before.append(task)

    def work(self, batch: Sequence[Sight]) -> None:
        """Ask about a batch; what is settled is written down whatever happens meanwhile."""
        settled: Settled = {
            sight.request.key: (Failure(sight.reason), 0) for sight in batch if sight.reason
        }
        requests = [sight.request for sight in batch]
        new = [sight for sight in batch if not self._holds(sight)]
        try:
            ask(self._teacher, requests, self._effort.attempts, settled)
        finally:
            self._write(new, settled)

    def _holds(self, sight: Sight) -> bool:
        """Whether there is a line already that answers the same question."""
        known = self._file.latest.get(sight.request.key)
        if known is None or known.source != self._source(sight):
            return False
        return not (known.failure and self._effort.retry_failed)

    def _write(self, batch: Sequence[Sight], settled: Settled) -> None:
        created = self._clock().isoformat(timespec="seconds")
        records = [
            Record.of(sight.request.key, self._source(sight), *settled[sight.request.key], created)
            for sight in batch
            if sight.request.key in settled
        ]
        self._file.append(records)
        for record in records:
            self.summary.count(record)
        self._show()

    def _source(self, sight: Sight) -> tuple[str, str, str]:
        return self._teacher.name, self._teacher.prompt_version, sight.frames_hash

    def _show(self) -> None:
        done = self.summary
        note = f"{done.described} described, {done.failed} failed"
        note += f", {done.without} without a clip" if done.without else ""
        self._bar.update(self._row, completed=done.done, note=note)


def _dialogue(task: Task) -> tuple[str, str]:
    return task.request.key.split, task.request.key.dialogue


@contextmanager
def _interruptible() -> Iterator[Event]:
    """Sets the event on the first Ctrl-C; the second one interrupts as ever."""
    stop = Event()

    def interrupt(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        console.print("finishing this batch; press Ctrl-C again to stop at once")

    if current_thread() is not main_thread():
        yield stop  # only the main thread is told of signals
        return
    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)
