"""Show events to the person at the terminal."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Any, NoReturn, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from engine.events import EmotionEvent
from engine.sinks import wording
from engine.sinks.departure import Departure
from engine.sinks.gone import SinkGoneError
from stream.printable import printable

NARROW = 60
"""Columns of a terminal below which a table holds nothing that can be read."""
_USUAL_WIDTH = 80
BAR_CELLS = 10
WIDE = 100
"""Columns of a terminal from which there is room for the bar and the latency."""
SPACIOUS = 150
"""Columns from which there is room for the behaviour, too."""
FRAME_LINES = 6
"""Lines of the terminal that the table's title, head and borders need."""


class Terminal(Console):
    """Rich's console, but for what it does when nobody reads it: it ends the whole program."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.width < 1:  # COLUMNS=0: what is printed to no width at all is lost
            self.width = _USUAL_WIDTH

    def on_broken_pipe(self) -> NoReturn:
        """Say so instead."""
        raise SinkGoneError("nobody reads it any more")


class ConsoleSink:
    """A live table on a terminal that can redraw it; one plain line per utterance anywhere else.

    Utterances that go on are the last rows of the table, pale until they have ended. Rows that
    no longer fit into the table scroll away above it as plain lines.

    Args:
        console: Where to write; by default standard output.
    """

    name = "console"

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Terminal()
        self._redraws = _redraws(self._console)
        rows = max(3, self._console.height - FRAME_LINES)
        self._recent: deque[EmotionEvent] = deque(maxlen=rows)
        self._going_on: dict[tuple[str, str], EmotionEvent] = {}  # by source and participant
        self._live: Live | None = None

    @property
    def takes_partials(self) -> bool:
        """On a terminal, where they can be replaced."""
        return self._redraws

    async def __aenter__(self) -> Self:
        """Open the table."""
        if self._redraws:
            self._live = Live(self._table(), console=self._console, auto_refresh=False)
            self._live.start(refresh=True)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the table on the screen as it is."""
        if self._live is not None:
            with contextlib.suppress(OSError, SinkGoneError):  # nobody looks at it any more
                self._live.stop()
            self._live = None

    async def publish(self, event: EmotionEvent) -> None:
        """Show the event.

        Raises:
            SinkGoneError: The terminal or the pipe was closed.
        """
        with _writing():
            self._show(event)

    def _show(self, event: EmotionEvent) -> None:
        who = event.source, event.participant
        if event.partial:
            self._going_on[who] = event
            if self._live is not None:
                self._live.update(self._table(), refresh=True)
            return
        self._going_on.pop(who, None)
        if self._live is None:
            print_line(self._console, wording.line(event))
            return
        if len(self._recent) == self._recent.maxlen:
            print_line(self._console, wording.line(self._recent[0]))
        self._recent.append(event)
        self._live.update(self._table(), refresh=True)

    async def leave(self, departure: Departure) -> None:
        """What somebody was saying when they left is not waited for."""
        gone = self._going_on.pop((departure.source, departure.participant), None)
        if gone is not None and self._live is not None:
            with _writing():
                self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        table = Table(title="Emotion expressed, per utterance", expand=True)
        wide, spacious = self._console.width >= WIDE, self._console.width >= SPACIOUS
        for column in ("time", "who"):
            table.add_column(column, no_wrap=True)
        table.add_column("said", no_wrap=True, overflow="ellipsis", ratio=1)
        for column in ("expressed", "from"):
            table.add_column(column, no_wrap=True)
        if wide:
            table.add_column("took", no_wrap=True, justify="right")
        if spacious:
            table.add_column("shown", no_wrap=True, overflow="ellipsis", ratio=1)
        for event in (*self._recent, *self._going_on.values()):
            cells = _cells(event, wide)
            if spacious:
                cells = (*cells, wording.behaviour(event))
            texts = (Text(_encodable(self._console, cell)) for cell in cells)
            table.add_row(*texts, style="dim" if event.partial else "")
        return table


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SinkGoneError.of(error) or error from error


def _redraws(console: Console) -> bool:
    """Whether a table that is drawn again and again can be read there."""
    if not console.is_terminal or console.width < NARROW:
        return False
    # A terminal that does not say what it can do is taken at the least; Windows never says.
    unnamed = os.name == "posix" and not os.environ.get("TERM")
    return not (console.is_dumb_terminal or unnamed)


def _cells(event: EmotionEvent, wide: bool) -> tuple[str, ...]:
    cells = (
        wording.window(event),
        printable(event.participant, 20),
        wording.quotation(event),
        _expressed(event, wide),
        "+".join(event.modalities.used) or "nothing",
    )
    return (*cells, wording.latency(event)) if wide else cells


def _expressed(event: EmotionEvent, wide: bool) -> str:
    if event.emotion.abstained:
        return wording.emotion(event)
    filled = round(event.emotion.confidence * BAR_CELLS)
    bar = "█" * filled + "░" * (BAR_CELLS - filled) + " " if wide else ""
    return f"{bar}{event.emotion.confidence:4.0%} {printable(event.emotion.label, 20)}"


def print_line(console: Console, text: str) -> None:
    """Print one line as it is: no markup, no wrapping, no character the output cannot hold."""
    console.print(Text(_encodable(console, text)), soft_wrap=True)


def _encodable(console: Console, text: str) -> str:
    return text.encode(console.encoding, "replace").decode(console.encoding)
