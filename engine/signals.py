"""Signals that end a run: INT (Ctrl-C), TERM and HUP, each in the same way.

A program that was started to ignore one of them (`nohup` and HUP, a background job and INT) goes on
ignoring it.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_SHELL = 128
"""What shells add to the number of the signal that ended a program."""


def end_at_once() -> None:
    """Let these signals end the program, until a run looks after them; no traceback is printed."""
    for number in _not_ignored():
        signal.signal(number, signal.SIG_DFL)


class Signals:
    """What the signals ask of a run, while it is entered.

    While the run is prepared, the first one cancels the task that entered this. Once it is
    `running`, the first one sets `told`, and the second one cancels. The third ends the process.

    Args:
        say: Prints a line for the person at the terminal.
        missed: What to say of work that a signal ends before it is running.

    Raises:
        RuntimeError: It is not made in a task.
    """

    def __init__(
        self,
        say: Callable[[str], object],
        missed: str = "ended before it had begun; nothing was recognised",
    ) -> None:
        import asyncio  # late: `end_at_once` is to come first of all

        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self.told = asyncio.Event()
        """Set when the run is to end in order."""
        self.number: int | None = None
        """The signal that came last."""
        self._say, self._missed = say, missed
        self._count = 0
        self._running = False

    @property
    def exit_code(self) -> int:
        """How a run ends that was cancelled by a signal, as shells have it."""
        return _SHELL + (self.number or signal.SIGINT)

    def __enter__(self) -> Self:
        """Look after the signals; the event loop does so until it is closed."""
        from engine.daemon_thread import UnawaitedThreads  # late, as asyncio is

        self._loop.set_default_executor(UnawaitedThreads(thread_name_prefix="asyncio"))
        for number in _not_ignored():
            self._loop.add_signal_handler(number, self._receive, number)
        return self

    def __exit__(self, *_: object) -> None:
        """From now on a signal ends the process: there is nothing left to do."""
        self._count = max(self._count, 2)

    def running(self) -> None:
        """The run is prepared: from now on it ends in order."""
        self._running = True

    def _receive(self, number: int) -> None:
        self.number = number
        self._count += 1
        if self._count > 2:
            os._exit(_SHELL + number)
        if self._count == 1 and self._running:
            self.told.set()
            self._say("finishing the utterance in progress; Ctrl-C again to abort")
            return
        if not self._running:
            self._say(self._missed)
        self._task.cancel()


def _not_ignored() -> list[int]:
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
