"""Take the picture of a run that the README shows.

    python docs/make_screenshot.py [--out docs/images/run.svg]

`run_live.py` recognises demo/talk.mp4 in a terminal of its own (a pseudo-terminal), and what
stands in that terminal at the end becomes an SVG. Nothing is added, left out or retouched.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
RUN = ("run_live.py", "--file", "demo/talk.mp4")
COLUMNS, LINES = 110, 40

_CONTROL = re.compile(r"\x1b\[(\?)?([\d;]*)([A-Za-z])|[\r\n]|[^\x1b\r\n]+|\x1b")


class Screen:
    """As much of a terminal as rich's live tables and plain lines need."""

    def __init__(self) -> None:
        self.lines = [""]
        self._row = 0

    def feed(self, output: str) -> None:
        """Take what a program wrote; colours stay in the lines as they are."""
        for match in _CONTROL.finditer(output):
            text = match[0]
            if text == "\n":
                self._row += 1
                if self._row == len(self.lines):
                    self.lines.append("")
            elif match[3] == "A":
                self._row = max(0, self._row - int(match[2] or 1))
            elif match[3] == "K":
                self.lines[self._row] = ""
            elif match[3] == "m" or not text.startswith(("\x1b", "\r")):
                self.lines[self._row] += text

    def text(self) -> Text:
        """What stands on it."""
        return Text.from_ansi("\n".join(self.lines).strip("\n"))


def capture(command: Sequence[str], columns: int = COLUMNS) -> str:
    """Run a command in a pseudo-terminal; returns all that it wrote there.

    Raises:
        subprocess.CalledProcessError: If it fails.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", LINES, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)}
    environment |= {"LINES": str(LINES)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        written = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, written)
    return written.decode()


def picture(output: str, title: str, columns: int = COLUMNS) -> str:
    """An SVG of the terminal after `output`."""
    screen = Screen()
    screen.feed(output)
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    console.print(screen.text())
    return console.export_svg(title=title)


def main() -> int:
    """Run, and write the picture; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "run.svg")
    options = parser.parse_args()
    try:
        output = capture([sys.executable, *RUN])
    except subprocess.CalledProcessError as error:
        print(error.output.decode(), file=sys.stderr)
        return 1
    svg = picture(output, "python run_live.py --file demo/talk.mp4")
    options.out.write_text(svg, encoding="utf-8")
    print(f"{options.out} written")
    return 0


def _read(terminal: int) -> bytes:
    """The next bytes; none once the program has ended, which Linux reports as an error."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


if __name__ == "__main__":
    sys.exit(main())
