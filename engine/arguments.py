"""Command lines: what every program of this project does alike with its arguments."""

from __future__ import annotations

import argparse
import difflib
import errno
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from stream.printable import message as printable


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong and what to do next, without the whole usage.

    Options are written in full, and each is given once: of two the first would be ignored. A value
    may begin with a dash, as names of files may.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)
        for name in (None, "store"):
            self.register("action", name, _StoreOnce)

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        """Read the arguments.

        Args:
            args: As given, without the name of the program; None for those of the process.
            namespace: Not used.
        """
        given = sys.argv[1:] if args is None else args
        values, unknown = self.parse_known_args(self._joined(given))
        if unknown:
            known = difflib.get_close_matches(unknown[0], self._option_string_actions, 1)
            hint = f": did you mean {known[0]}?" if known else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        vars(values).pop(_GIVEN, None)
        return values

    def error(self, message: str) -> NoReturn:
        """Print the line and exit with code 2."""
        command = self.prog if self.prog.startswith("python ") else f"python {self.prog}"
        self.exit(2, f"error: {printable(message)}; see {command} --help\n")

    def _joined(self, given: Sequence[str]) -> list[str]:
        """Each option that takes a value with its value, where argparse would take that for one."""
        joined: list[str] = []
        for argument in given:
            before = self._option_string_actions.get(joined[-1]) if joined else None
            takes = before is not None and before.nargs is None
            known = argument.partition("=")[0] in self._option_string_actions
            if takes and argument.startswith("-") and argument != "-" and not known:
                joined[-1] += f"={argument}"
            else:
                joined.append(argument)
        return joined


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def run_command(main: Callable[[], int]) -> NoReturn:
    """Be the program: run a command, and end with its exit code.

    Ctrl-C is one line and no traceback, and whoever stops reading what is printed is no error.
    """
    try:
        code = main()
    except KeyboardInterrupt:
        print(
            "interrupted: start the same command again, and a training goes on from its last "
            "checkpoint",
            file=sys.stderr,
        )
        code = INTERRUPTED
    except BrokenPipeError:
        code = 0
    except SystemExit as end:  # how argparse ends
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    sys.exit(flushed(code))


def flushed(code: int) -> int:
    """Write what waits to be printed; the exit code, which is not 0 where that fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError as error:  # nobody reads it, or it is full; Python would complain of both
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            code = code or int(error.errno not in (errno.EPIPE, errno.EIO, errno.EBADF))
    return code


_GIVEN = "_given"


class _StoreOnce(argparse.Action):
    """Keeps the value of an option that is given once."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        given = vars(namespace).setdefault(_GIVEN, set())
        if option_string is not None and self.dest in given:
            parser.error(f"{option_string} is given more than once: give one")
        given.add(self.dest)
        setattr(namespace, self.dest, values)
