"""Describes made-up utterances with a server, in a child process that the test kills.

    python kill_target.py URL OUT COUNT

Every line on standard input forks a child, which spares it the seconds that imports take.
Its process id is printed, then the code that it ended with, negative for a signal.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from requests_double import read, task

from training.describe.records import RecordFile
from training.describe.run import Effort, describe
from training.describe.server import ServerOptions, ServerTeacher


def main(url: str, out: str, count: str) -> None:
    """Fork for every line."""
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            _describe(url, Path(out), int(count))
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _describe(url: str, out: Path, count: int) -> None:
    teacher = ServerTeacher(url, "a-model", ServerOptions(concurrency=2))
    with RecordFile(out) as file:
        describe([task(index) for index in range(count)], teacher, file, read, Effort())


if __name__ == "__main__":
    main(*sys.argv[1:])
