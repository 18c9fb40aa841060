"""The console sink, on a terminal and off."""

from __future__ import annotations

import contextlib
import io
import os
import re
from typing import Any

import pytest
from rich.console import Console

from engine.sinks import ConsoleSink, Departure, Sink, SinkGoneError, wording
from engine.sinks.console import Terminal

HOSTILE = "\x1b[2J[red]stop[/red] [/nothing] :smile: \x07"


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that can redraw, whatever these tests run in."""
    monkeypatch.setenv("TERM", "xterm-256color")


async def shown(console: Console, events: list[Any]) -> str:
    """What the sink writes for these events."""
    sink: Sink = ConsoleSink(console)
    async with sink:
        for event in events:
            await sink.publish(event)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def terminal(width: int = 120, height: int = 24) -> Console:
    """A terminal in memory."""
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None
    )


async def test_plain_lines_off_a_terminal(make_event: Any) -> None:
    """In a pipe or a file there is one whole line per utterance, however long."""
    events = [make_event(), make_event(text="word " * 60)]
    output = await shown(Console(file=io.StringIO(), width=40), events)
    assert output.splitlines() == [wording.line(event) for event in events]


async def test_table_on_a_terminal(make_event: Any) -> None:
    """On a terminal the table shows time, participant, text, emotion, modalities, latency."""
    output = await shown(terminal(), [make_event()])
    for part in ("0:03.2-0:05.9", "ross", "“Oh!”", "████████░░  75% joy", "text+audio", "412 ms"):
        assert part in output
    assert "expressed" in output
    assert "feel" not in output


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
async def test_a_terminal_that_cannot_redraw_gets_lines(
    make_event: Any, monkeypatch: pytest.MonkeyPatch, term: str
) -> None:
    """Each as soon as it is there, and no control sequence."""
    monkeypatch.setenv("TERM", term)
    events = [make_event(), make_event(text="No!"), make_event(partial=True)]
    output = await shown(terminal(), events)
    assert output.splitlines() == [wording.line(event) for event in events[:2]]


async def test_a_terminal_too_narrow_for_a_table_gets_lines(make_event: Any) -> None:
    """A table of 20 columns holds nothing that can be read."""
    output = await shown(terminal(width=20), [make_event()])
    assert output.splitlines() == [wording.line(make_event())]


async def test_a_closed_pipe_ends_the_sink_and_nothing_else(make_event: Any) -> None:
    """Rich would end the program."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as file:
        async with ConsoleSink(Terminal(file=file)) as sink:
            await sink.publish(make_event())
            os.close(reader)
            with pytest.raises(SinkGoneError):
                await sink.publish(make_event())
        with contextlib.suppress(BrokenPipeError):
            file.close()


async def test_what_somebody_was_saying_when_they_left_is_taken_away(make_event: Any) -> None:
    """Of those who are still there it stays."""
    console = terminal()
    assert isinstance(console.file, io.StringIO)
    async with ConsoleSink(console) as sink:
        for name in ("ross", "phoebe"):
            await sink.publish(make_event(partial=True, participant=name))
        await sink.leave(Departure("talk.mp4", "ross"))
        shown_before = len(console.file.getvalue())
        await sink.publish(make_event(participant="joey"))
    table = console.file.getvalue()[shown_before:]
    assert "phoebe" in table
    assert "ross" not in table


async def test_a_spacious_terminal_shows_the_behaviour(make_event: Any) -> None:
    """In 160 columns there is room for it, in 120 there is not."""
    event = make_event(behaviour="Eyes closed.")
    assert "[Eyes closed.]" in await shown(terminal(width=160), [event])
    assert "[Eyes closed.]" not in await shown(terminal(), [event])


async def test_a_narrow_terminal_still_shows_what_was_said(make_event: Any) -> None:
    """In 80 columns the bar and the latency make room for the words."""
    output = await shown(terminal(width=80), [make_event()])
    for part in ("0:03.2-0:05.9", "ross", "“Oh!”", " 75% joy", "text+audio"):
        assert part in output
    assert "█" not in output


async def test_abstention_shows_no_emotion(make_event: Any) -> None:
    """A row that is unsure, or has nothing to go by, names no emotion."""
    event = make_event()
    object.__setattr__(event.emotion, "abstained", True)
    output = await shown(terminal(), [event])
    assert "unsure" in output
    assert "joy" not in output
    object.__setattr__(event.modalities, "used", ())
    output = await shown(terminal(), [event])
    assert "nothing to go by" in output
    assert "joy" not in output


async def test_rows_that_do_not_fit_scroll_away_as_lines(make_event: Any) -> None:
    """Nothing is lost when there are more utterances than rows."""
    events = [make_event(participant=f"speaker{n}") for n in range(12)]
    output = await shown(terminal(height=10), events)
    lines = [line for line in output.splitlines() if "from text+audio" in line]
    assert [re.search(r"speaker\d+", line)[0] for line in lines] == [  # type: ignore[index]
        f"speaker{n}" for n in range(8)
    ]
    assert "speaker11" in output


@pytest.mark.parametrize("is_terminal", [True, False])
async def test_hostile_text(make_event: Any, is_terminal: bool) -> None:
    """What somebody says cannot clear the screen, colour it or break the markup."""
    console = Console(
        file=io.StringIO(), force_terminal=is_terminal, width=200, height=24, color_system=None
    )
    output = await shown(console, [make_event(text=HOSTILE)])
    assert r"\x1b[2J[red]stop[/red] [/nothing] :smile: \x07" in output
    assert "\x1b[2J" not in output
    assert "\x07" not in output


@pytest.mark.parametrize("is_terminal", [True, False])
async def test_output_that_cannot_hold_every_character(
    make_event: Any, is_terminal: bool, tmp_path: Any
) -> None:
    """A terminal of another encoding gets question marks, not an exception."""
    path = tmp_path / "out"
    with path.open("w", encoding="latin-1") as file:
        console = Console(file=file, force_terminal=is_terminal, width=200)
        async with ConsoleSink(console) as sink:
            await sink.publish(make_event(text="né 😀"))
    assert "né ?" in path.read_text(encoding="latin-1")
