"""Describing a corpus: batches, attempts, resuming, and whatever can interrupt it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from requests_double import SEEN, Answer, PlainTeacher, frames, key, read, task
from server_double import Call, Reply, ServerDouble, completion

from stream.errors import UserError
from stream.media import VideoFrame
from training.datasets.clip import Clip
from training.describe.pictures import frames_hash
from training.describe.reading import Seen
from training.describe.records import RecordFile, read_descriptions
from training.describe.run import Effort, Summary, describe
from training.describe.teacher import Failure, Request, TeacherDownError
from training.describe.work import Task

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TASKS = [task(index) for index in range(10)]


def run(
    path: Path,
    teacher: PlainTeacher,
    tasks: list[Task] = TASKS,
    look: Callable[[Clip], Seen] = read,
    **effort: Any,
) -> Summary:
    """One run, as the command line does it."""
    remembers = effort.pop("remembers", False)
    with RecordFile(path) as file:
        return describe(
            tasks, teacher, file, look, Effort(**effort), remembers=remembers, clock=lambda: NOW
        )


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines of the file."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def numbers(path: Path) -> list[int]:
    """The utterance of each line."""
    return [line["utterance"] for line in lines(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the output."""
    return tmp_path / "descriptions.jsonl"


def test_every_utterance_gets_a_line(path: Path) -> None:
    """In order, in batches of the teacher's size, with all that the line depends on."""
    teacher = PlainTeacher()
    summary = run(path, teacher)
    assert (summary.described, summary.failed, summary.kept, summary.total) == (10, 0, 0, 10)
    assert teacher.indices == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert numbers(path) == list(range(10))
    assert read_descriptions(path) == {key(index): SEEN for index in range(10)}
    line = lines(path)[3]
    assert (line["model"], line["prompt_version"], line["attempts"]) == ("plain", "1", 1)
    assert line["frames"] == frames_hash(frames(3))
    assert line["created"] == "2026-11-22T12:00:00+00:00"


def test_a_second_run_asks_nothing(path: Path) -> None:
    """What is there stays there, byte for byte."""
    run(path, PlainTeacher())
    before = path.read_bytes()
    teacher = PlainTeacher()
    summary = run(path, teacher)
    assert (summary.described, summary.kept) == (0, 10)
    assert teacher.asked == []
    assert path.read_bytes() == before


def look_closer(clip: Clip) -> Seen:
    """Other pictures of the same clips."""
    return Seen(read(clip).frames[:1])


@pytest.mark.parametrize(
    ("teacher", "look"),
    [
        (PlainTeacher(name="other"), read),
        (PlainTeacher(prompt_version="2"), read),
        (PlainTeacher(), look_closer),
    ],
    ids=["model", "prompt", "pictures"],
)
def test_another_question_is_asked_again(
    path: Path, teacher: PlainTeacher, look: Callable[[Clip], Seen]
) -> None:
    """A line counts only for the model, prompt and pictures that it was made with."""
    run(path, PlainTeacher())
    assert run(path, teacher, look=look).described == 10
    assert numbers(path) == 2 * list(range(10))


def test_an_answer_that_cannot_be_used_is_asked_for_again(path: Path) -> None:
    """Only that one, with a higher attempt; the line says how often."""

    def answer(request: Request) -> Answer:
        bad = request.key.utterance == 2 and request.attempt < 3
        return Failure("nonsense") if bad else SEEN

    teacher = PlainTeacher(answer)
    run(path, teacher, TASKS[:4])
    assert teacher.indices == [[0, 1, 2, 3], [2], [2]]
    assert [call[0].attempt for call in teacher.asked] == [1, 2, 3]
    assert [line["attempts"] for line in lines(path)] == [1, 1, 3, 1]


def test_after_the_last_attempt_it_is_recorded_as_failed(path: Path) -> None:
    """With the last reason and answer; the run goes on."""

    def answer(request: Request) -> Answer:
        bad = request.key.utterance == 2
        return Failure(f"nonsense {request.attempt}", "blah") if bad else SEEN

    teacher = PlainTeacher(answer)
    summary = run(path, teacher, TASKS[:4], attempts=2)
    assert (summary.described, summary.failed) == (3, 1)
    assert summary.reasons == {"nonsense 2": 1}
    line = lines(path)[2]
    assert (line["failure"], line["answer"], line["attempts"]) == ("nonsense 2", "blah", 2)


def test_what_would_fail_again_is_not_asked_again(path: Path) -> None:
    """A final failure costs one question."""
    teacher = PlainTeacher(lambda request: Failure("no face", final=True))
    assert run(path, teacher, TASKS[:4]).failed == 4
    assert len(teacher.asked) == 1


def test_failures_are_asked_again_on_demand(path: Path) -> None:
    """Not by resuming, only with --retry-failed, and only they."""
    bad = PlainTeacher(lambda request: SEEN if request.key.utterance % 3 else Failure("no"))
    run(path, bad, attempts=1)
    assert run(path, PlainTeacher()).kept == 10
    teacher = PlainTeacher()
    summary = run(path, teacher, retry_failed=True)
    assert teacher.indices == [[0, 3, 6, 9]]
    assert (summary.described, summary.kept) == (4, 6)
    assert len(read_descriptions(path)) == 10


def test_utterances_without_pictures_are_not_asked_about(path: Path) -> None:
    """What has no clip is counted apart from what failed, and the batch around is described."""

    def look(clip: Clip) -> Seen:
        broken = clip.video is not None and clip.video.path.stem == "clip-2"
        return Seen((), "broken") if broken else read(clip)

    tasks = [task(0), task(1, clip=False), task(2), task(3)]
    teacher = PlainTeacher()
    summary = run(path, teacher, tasks, look)
    assert teacher.indices == [[0, 3]]
    assert (summary.without, summary.failed) == (1, 1)
    assert summary.reasons == {"no pictures: broken": 1}
    assert [line["attempts"] for line in lines(path)] == [1, 0, 0, 1]
    assert run(path, PlainTeacher(), tasks, look).kept == 4


class FlakyTeacher(PlainTeacher):
    """Goes down at a call, with some of it answered."""

    def __init__(self, call: int, answers: dict[int, Answer]) -> None:
        super().__init__()
        self._call, self._answers = call, answers

    def describe(self, requests: Any) -> list[Answer]:
        """As the plain one, or down."""
        if len(self.asked) == self._call:
            raise TeacherDownError("gone", self._answers)
        return super().describe(requests)


def test_a_teacher_that_goes_down_loses_nothing(path: Path) -> None:
    """What it answered of the last batch is kept too; the rest is asked for next time."""
    answers: dict[int, Answer] = {1: SEEN, 2: Failure("busy")}
    with pytest.raises(TeacherDownError, match="gone"):
        run(path, FlakyTeacher(1, answers))
    assert numbers(path) == [0, 1, 2, 3, 5]
    teacher = PlainTeacher()
    run(path, teacher)
    assert teacher.indices == [[4, 6, 7, 8], [9]]


def test_a_teacher_that_goes_down_on_a_retry_keeps_the_first_answers(path: Path) -> None:
    """Answers that could be used at once do not wait for those that could not."""

    class Retrying(FlakyTeacher):
        def describe(self, requests: Any) -> list[Answer]:
            """All but the second at the first call."""
            super().describe(requests)
            return [Failure("nonsense") if r.key.utterance == 1 else SEEN for r in requests]

    with pytest.raises(TeacherDownError):
        run(path, Retrying(1, {}))
    assert numbers(path) == [0, 2, 3]


def test_a_full_disk_is_said(path: Path, tmp_path: Path) -> None:
    """As the user's to put right, with the lines before kept."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    run(path, PlainTeacher(), TASKS[:4])
    whole = path.read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 50, hard))
    try:
        with pytest.raises(UserError, match="all lines before are kept"):
            run(path, PlainTeacher())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == whole


def test_ctrl_c_ends_the_run_after_the_batch(path: Path) -> None:
    """The batch that is under way is answered and written; the handler is put back."""

    def answer(request: Request) -> Answer:
        if request.key.utterance == 5:
            signal.raise_signal(signal.SIGINT)
        return SEEN

    before = signal.getsignal(signal.SIGINT)
    summary = run(path, PlainTeacher(answer))
    assert summary.done == 8 < summary.total
    assert numbers(path) == list(range(8))
    assert signal.getsignal(signal.SIGINT) is before
    assert run(path, PlainTeacher()).described == 2


def test_a_second_ctrl_c_ends_it_at_once(path: Path) -> None:
    """Without the batch's answers, but with all before."""

    def answer(request: Request) -> Answer:
        if request.key.utterance in (5, 6):
            signal.raise_signal(signal.SIGINT)
        return SEEN

    with pytest.raises(KeyboardInterrupt):
        run(path, PlainTeacher(answer))
    assert numbers(path) == [0, 1, 2, 3]


def test_a_run_works_in_any_thread(path: Path) -> None:
    """Although only the main one hears of Ctrl-C."""
    thread = threading.Thread(target=run, args=(path, PlainTeacher()))
    thread.start()
    thread.join()
    assert numbers(path) == list(range(10))


def test_a_teacher_that_remembers_is_shown_the_dialogue_again(path: Path) -> None:
    """After a kill it says what it would have said without one, and no line is doubled."""

    class Counting(PlainTeacher):
        """Its answer depends on how often it was asked before."""

        def describe(self, requests: Any) -> list[Answer]:
            """Numbered postures."""
            start = sum(map(len, self.asked))
            super().describe(requests)
            return [
                type(SEEN)(posture=f"Posture {start + place}.") for place, _ in enumerate(requests)
            ]

    run(path, Counting(), remembers=True)
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:6])[:-5])
    again = Counting()
    summary = run(path, again, remembers=True)
    assert path.read_bytes() == whole
    assert (summary.kept, summary.described) == (5, 5)
    assert again.indices == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_what_is_kept_for_a_teacher_that_remembers_is_no_pictures(path: Path) -> None:
    """Those of a long dialogue would not fit into memory: only what is read ahead is there."""
    tasks = [task(index) for index in range(60)]
    run(path, PlainTeacher(), tasks)
    alive, most = weakref.WeakSet[VideoFrame](), 0

    def watched(clip: Clip) -> Seen:
        nonlocal most
        shown = tuple(VideoFrame(frame.time, frame.image) for frame in read(clip).frames)
        alive.update(shown)
        most = max(most, len(alive))
        return Seen(shown)

    assert run(path, PlainTeacher(), tasks, watched, remembers=True).kept == 60
    assert 0 < most < 40


@pytest.mark.parametrize("attempts", [0, -1])
def test_no_attempt_is_refused(attempts: int) -> None:
    """The message names the flag."""
    with pytest.raises(UserError, match="--attempts"):
        Effort(attempts)


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_and_doubles_nothing(path: Path) -> None:
    """Killed again and again, the runs together write every utterance exactly once."""
    count, runs, killed = 60, 10, 0
    draw = random.Random(3)
    here = Path(__file__).parent
    child, target = 0, -1
    known = threading.Event()  # whether `child` is the process that asks

    def kill(process: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

    def behaviour(call: Call) -> Reply:
        if call.number == target and known.wait(10):
            if draw.random() < 0.5:
                kill(child)  # while it waits for this answer
            else:  # at any moment: reading, asking or writing
                threading.Timer(draw.uniform(0, 0.01), kill, [child]).start()
        return completion()

    environment = {**os.environ, "PYTHONPATH": f"{here}:{here.parents[2]}", "OMP_NUM_THREADS": "1"}
    with ServerDouble(behaviour) as server:
        command = [sys.executable, str(here / "kill_target.py"), server.url, str(path), str(count)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, env=environment, text=True, **pipes) as parent:
            for number in range(runs):
                last = number == runs - 1
                target = -1 if last else len(server.calls) + draw.randrange(1, 10)
                parent.stdin.write("go\n")
                parent.stdin.flush()
                child = int(parent.stdout.readline())
                known.set()
                code = int(parent.stdout.readline())
                known.clear()
                assert code in (0, -signal.SIGKILL)
                killed += code != 0
            parent.stdin.close()
        asked = len(server.calls)
    assert code == 0
    assert killed >= runs // 2
    assert numbers(path) == list(range(count))
    assert len(read_descriptions(path)) == count
    assert count < asked <= count + 2 * killed  # what was under way, and no more, is asked again
