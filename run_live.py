"""Recognise the emotion that people express, live and per utterance.

python run_live.py --help
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from engine.signals import Signals, end_at_once

if __name__ == "__main__":
    end_at_once()  # before anything that takes its time to be imported

import asyncio
import contextlib
import functools
import logging
import os
import threading
import time
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from importlib import metadata
from pathlib import Path

from engine import cli
from engine.arguments import flushed
from engine.memory import share_arenas
from stream.errors import UserError
from stream.printable import message as printable

if TYPE_CHECKING:
    from engine.vitals import Vitals

ABORTED = 130
"""Exit code after Ctrl-C where nothing is to be finished, as shells have it."""
NOT_WATCHING = "no longer watching"
"""What a signal that ends `watch` brings about."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; returns the exit code."""
    began = time.monotonic()
    share_arenas()
    log_to_terminal()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["devices"]:
            return list_devices(given[1:])
        if given[:1] == ["watch"]:
            watched = cli.parse_watch(given[1:])
            return asyncio.run(until_a_signal(lambda _: watch_events(watched), NOT_WATCHING))
        if given[:1] == ["serve"]:
            served = cli.parse_serve(given[1:])
            return asyncio.run(until_a_signal(lambda signals: serve(served, signals)))
        options = cli.parse(given, version())
        return asyncio.run(until_a_signal(lambda signals: recognize(options, began, signals)))
    except UserError as error:
        say(f"error: {error}")
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return ABORTED
    except BrokenPipeError:  # of standard output: nobody reads it any more
        return 0


async def until_a_signal(work: Callable[[Signals], Awaitable[int]], *missed: str) -> int:
    """Do what may be ended by a signal, and give the exit code.

    Args:
        work: It says itself when it is running.
        missed: What to say when it is ended earlier, if not that nothing was recognised.
    """
    with Signals(say, *missed) as signals:
        try:
            return await work(signals)
        except asyncio.CancelledError:
            if signals.number is None:
                raise
            return signals.exit_code


async def recognize(options: cli.Options, began: float, signals: Signals) -> int:
    """Open everything, what can refuse quickly first; load the models; run."""
    # Imported here, so that `--help` and a mistyped argument are answered at once.
    from engine import assembly, live
    from engine.daemon_thread import in_daemon_thread
    from engine.report import peak_memory, report
    from engine.sinks import ConsoleSink
    from export.models import resolve

    async with contextlib.AsyncExitStack() as stack:
        source = await stack.enter_async_context(assembly.choose_source(options))
        words = assembly.caption_words(options)
        model, spec = assembly.check_bundle(options.bundle)
        sinks = await assembly.open_sinks(
            stack,
            options,
            source_name=source.name,
            model=model,
            labels=spec["labels"],
            version=version(),
            say=say,
        )
        wanted = assembly.wanted(options, source, words)
        vitals = await open_vitals(stack, options)
        say("loading the models ...")
        new_cutter = functools.partial(assembly.new_cutter, listen=wanted.listen)
        cutter = await in_daemon_thread(lambda: new_cutter(source, resolve, spec))
        base = spec["llm"]["base"]
        load = functools.partial(assembly.load_worker, options, resolve, base, wanted)
        worker = await in_daemon_thread(load)
        signals.running()
        console = await stack.enter_async_context(ConsoleSink())
        build = assembly.event_builder(options.node, source.name, model)
        summary = await live.run(
            source,
            cutter,
            worker,
            [*sinks, console],
            build=build,
            stop=signals.told,
            make_worker=load,
            vitals=vitals,
        )
    skipped = source.skipped_packets
    lines = report(
        summary,
        began=began,
        peak_bytes=peak_memory(),
        skipped=skipped,
        blips=cutter.blips + summary.too_short,
    )
    for line in lines:
        say(line)
    if summary.failure is not None:
        raise summary.failure
    return int(bool(summary.undelivered or (summary.failed and not summary.utterances)))


async def serve(options: cli.ServeOptions, signals: Signals) -> int:
    """Take people in over WebRTC until Ctrl-C; the sessions of one room form one dialogue."""
    from engine import assembly
    from engine.daemon_thread import in_daemon_thread
    from engine.live import Engine
    from engine.report import Served, undelivered
    from engine.sinks import ConsoleSink
    from engine.web import WhipServer
    from engine.web.access import check_access
    from export.models import resolve
    from stream.ids import uuid7_factory
    from stream.sources import Source

    run, new_id, dialogues = options.run, uuid7_factory(), dict[str, tuple[str, int]]()
    served = Served()
    async with contextlib.AsyncExitStack() as stack:
        token = assembly.read_token(options.token_file)
        check_access(options.host, token)
        model, spec = assembly.check_bundle(run.bundle)
        sinks = await assembly.open_sinks(
            stack,
            run,
            source_name="whip",
            model=model,
            labels=spec["labels"],
            version=version(),
            say=say,
        )
        wanted = assembly.Wanted(listen=run.text and run.audio, look=run.behaviour and run.video)
        load = functools.partial(assembly.load_worker, run, resolve, spec["llm"]["base"], wanted)
        vitals = await open_vitals(stack, run)

        async def admit(room: str, source: Source) -> None:
            """Serve one session; the dialogue of a room lasts while somebody is in it."""
            async with source:
                dialogue, others = dialogues.get(room) or (new_id(), 0)
                dialogues[room] = dialogue, others + 1
                try:
                    # Reads and checks weights: nobody else's media may wait for that.
                    cutter = await in_daemon_thread(
                        lambda: assembly.new_cutter(source, resolve, spec, listen=wanted.listen)
                    )
                    summary = await engine.attend(
                        source,
                        cutter,
                        build=assembly.event_builder(run.node, room, model, dialogue),
                        dialogue=dialogue,
                    )
                    served.add(summary)
                    if summary.failure is not None:
                        say(f"{source.participant} in {room}: {summary.failure!s}")
                finally:
                    dialogue, here = dialogues.pop(room)
                    if here > 1:
                        dialogues[room] = dialogue, here - 1

        server = WhipServer(
            admit,
            host=options.host,
            port=options.port,
            token=token,
            max_sessions=options.max_sessions,
        )
        server.listen()
        say("loading the models ...")
        worker = await in_daemon_thread(load)
        console = await stack.enter_async_context(ConsoleSink())
        engine = await stack.enter_async_context(
            Engine(worker, [*sinks, console], make_worker=load, vitals=vitals)
        )
        await stack.enter_async_context(server)
        signals.running()
        say(f"publish to {server.url}/whip/ROOM; Ctrl-C ends it")
        await signals.told.wait()
    for line in (*served.lines(), *undelivered(engine.undelivered)):
        say(line)
    return int(bool(engine.undelivered))


async def open_vitals(stack: contextlib.AsyncExitStack, options: cli.Options) -> Vitals:
    """What the run counts and measures; served if that is wanted."""
    from engine.vitals import Vitals

    vitals = Vitals(version=version())
    if options.metrics is not None:
        from engine.web.metrics import MetricsServer

        server = await stack.enter_async_context(MetricsServer(vitals, port=options.metrics))
        say(f"metrics at {server.url}/metrics, health at {server.url}/health")
    return vitals


def list_devices(arguments: Sequence[str]) -> int:
    """Print the cameras and microphones."""
    cli.parse_devices(arguments)
    from stream.sources import list_cameras, list_microphones

    kinds = (("cameras", "--camera", list_cameras), ("microphones", "--mic", list_microphones))
    for kind, flag, find in kinds:
        devices = find()
        print(f"{kind} ({flag} NUMBER):" if devices else f"{kind}: none found")
        for device in devices:
            print(f"  {device.index}  {device.name}")
    return 0


async def watch_events(options: cli.WatchOptions) -> int:
    """Print what arrives at a broker, until a signal comes or nobody reads it."""
    from engine.sinks import SinkGoneError, watch
    from engine.sinks.topics import UTTERANCES

    with contextlib.suppress(SinkGoneError):
        await watch(options.mqtt, options.topics or (UTTERANCES,), as_json=options.json)
    return 0


def version() -> str:
    """The version installed, or of the folder that this file is in."""
    try:
        return metadata.version("bemerc-live")
    except metadata.PackageNotFoundError:
        project = tomllib.loads(Path(__file__).with_name("pyproject.toml").read_text())
        return str(project["project"]["version"])


def say(message: str) -> None:
    """Print to standard error: standard output is for events."""
    with contextlib.suppress(OSError):  # nobody reads it any more
        print(printable(message), file=sys.stderr, flush=True)


def log_to_terminal() -> None:
    """Let warnings come as lines, in which nothing can steer the terminal."""

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            for line in self.format(record).splitlines():
                say(line)

    if not logging.root.handlers:
        lines = Lines(logging.WARNING)
        lines.setFormatter(logging.Formatter("%(message)s"))
        logging.root.addHandler(lines)


def leave(code: int) -> NoReturn:
    """End this process, whatever its threads do.

    A camera that hangs, or what is computed when a run is aborted, cannot be ended; it would
    crash an interpreter that is half gone.
    """
    code = flushed(code)
    if threading.active_count() > 1:
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    try:
        code = main()
    except SystemExit as end:  # how argparse ends
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    leave(code)
