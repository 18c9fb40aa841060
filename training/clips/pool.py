"""Many small jobs over processes, of which a hostile file may kill one without ending the run.

A codec that crashes takes its process along, and `concurrent.futures` then gives up the whole
pool without saying which job it was. So where several were under way they are tried again one
at a time, and the one that breaks its pool once more is the culprit.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def map_isolated(
    work: Callable[[Task], Result], tasks: Iterable[Task], jobs: int
) -> Iterator[tuple[Task, Result | None]]:
    """Run `work` on every task in processes of its own.

    Args:
        work: A function of a module, without side effects that matter when it runs twice.
        tasks: What can be pickled.
        jobs: Processes.

    Yields:
        Each task with its result, in any order; with None where the process died of it.

    Raises:
        RuntimeError: No process can be started.
        Exception: Whatever `work` raised; what was under way is finished first.
    """
    waiting = deque(tasks)
    while waiting:
        suspects = deque((yield from _run(work, waiting, jobs)))
        if len(suspects) == 1:
            yield suspects.popleft(), None
        while suspects:
            culprits = yield from _run(work, suspects, 1)
            yield from ((culprit, None) for culprit in culprits)


def _run(
    work: Callable[[Task], Result], waiting: deque[Task], jobs: int
) -> Generator[tuple[Task, Result], None, list[Task]]:
    """Work off `waiting` until a process dies; returns what was under way then."""
    # Spawned, because a fork inherits locks that threads of this process may hold.
    context = multiprocessing.get_context("spawn")
    under_way: dict[Future[Result], Task] = {}
    with ProcessPoolExecutor(
        min(jobs, len(waiting)), mp_context=context, initializer=_begin
    ) as pool:
        _check(pool)
        try:
            while waiting or under_way:
                while waiting and len(under_way) < jobs:
                    under_way[pool.submit(work, waiting[0])] = waiting[0]
                    waiting.popleft()
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    yield under_way.pop(future), result
        except BrokenProcessPool:
            return list(under_way.values())
    return []


def _check(pool: ProcessPoolExecutor) -> None:
    """Make sure that processes can be had at all, before a task is blamed for losing one."""
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool as error:
        raise RuntimeError(
            "processes end as soon as they start; the program that starts them must do its work "
            'below `if __name__ == "__main__":`'
        ) from error


def _begin() -> None:
    """In each process: deaf to Ctrl-C, and gone when the process that started it is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and ends the pool
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's process waits for work for ever, even where its parent was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
