"""Recognise the emotion that people express, live and per utterance.

python run_live.py --help
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import sys
import threading
import time
import tomllib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from engine import cli
from engine.memory import share_arenas
from stream.errors import UserError

if TYPE_CHECKING:
    from engine.vitals import Vitals

ABORTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; returns the exit code."""
    began = time.monotonic()
    share_arenas()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["devices"]:
            return list_devices(given[1:])
        if given[:1] == ["watch"]:
            return watch_events(given[1:])
        if given[:1] == ["serve"]:
            return asyncio.run(serve(cli.parse_serve(given[1:])))
        return asyncio.run(recognize(cli.parse(given, version()), began))
    except UserError as error:
        say(f"error: {error}")
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return ABORTED


async def recognize(options: cli.Options, began: float) -> int:
    """Open everything, what can refuse quickly first; load the models; run."""
    # Imported here, so that `--help` and a mistyped argument are answered at once.
    from engine import assembly, live
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
        say("loading the models ...")
        cutter = assembly.new_cutter(source, resolve, spec)
        wanted = assembly.wanted(options, source, words)
        base = spec["llm"]["base"]
        load = functools.partial(assembly.load_worker, options, resolve, base, wanted)
        worker = await asyncio.to_thread(load)
        vitals = await open_vitals(stack, options)
        console = await stack.enter_async_context(ConsoleSink())
        build = assembly.event_builder(options.node, source.name, model)
        summary = await live.run(
            source,
            cutter,
            worker,
            [*sinks, console],
            build=build,
            stop=stop_on_signals(),
            make_worker=load,
            vitals=vitals,
        )
    skipped = source.skipped_packets
    lines = report(
        summary, began=began, peak_bytes=peak_memory(), skipped=skipped, blips=cutter.blips
    )
    for line in lines:
        say(line)
    if summary.failure is not None:
        raise summary.failure
    return int(bool(summary.undelivered or (summary.failed and not summary.utterances)))


async def serve(options: cli.ServeOptions) -> int:
    """Take people in over WebRTC until Ctrl-C; the sessions of one room form one dialogue."""
    from engine import assembly
    from engine.live import Engine
    from engine.sinks import ConsoleSink
    from engine.web import WhipServer
    from engine.web.access import check_access
    from export.models import resolve
    from stream.ids import uuid7_factory
    from stream.sources import Source

    run, new_id, dialogues = options.run, uuid7_factory(), dict[str, tuple[str, int]]()
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
        say("loading the models ...")
        wanted = assembly.Wanted(listen=run.text and run.audio, look=run.behaviour and run.video)
        load = functools.partial(assembly.load_worker, run, resolve, spec["llm"]["base"], wanted)
        worker = await asyncio.to_thread(load)
        vitals = await open_vitals(stack, run)
        console = await stack.enter_async_context(ConsoleSink())
        engine = await stack.enter_async_context(
            Engine(worker, [*sinks, console], make_worker=load, vitals=vitals)
        )

        async def admit(room: str, source: Source) -> None:
            """Serve one session; the dialogue of a room lasts while somebody is in it."""
            async with source:
                dialogue, others = dialogues.get(room) or (new_id(), 0)
                dialogues[room] = dialogue, others + 1
                try:
                    # Reads and checks weights: nobody else's media may wait for that.
                    cutter = await asyncio.to_thread(assembly.new_cutter, source, resolve, spec)
                    await engine.attend(
                        source,
                        cutter,
                        build=assembly.event_builder(run.node, room, model, dialogue),
                        dialogue=dialogue,
                    )
                finally:
                    dialogue, here = dialogues.pop(room)
                    if here > 1:
                        dialogues[room] = dialogue, here - 1

        server = await stack.enter_async_context(
            WhipServer(
                admit,
                host=options.host,
                port=options.port,
                token=token,
                max_sessions=options.max_sessions,
            )
        )
        say(f"publish to {server.url}/whip/ROOM; Ctrl-C ends it")
        await stop_on_signals().wait()
    return 0


async def open_vitals(stack: contextlib.AsyncExitStack, options: cli.Options) -> Vitals:
    """What the run counts and measures; served if that is wanted."""
    from engine.vitals import Vitals

    vitals = Vitals(version=version())
    if options.metrics is not None:
        from engine.web.metrics import MetricsServer

        server = await stack.enter_async_context(MetricsServer(vitals, port=options.metrics))
        say(f"metrics at {server.url}/metrics, health at {server.url}/health")
    return vitals


def stop_on_signals() -> asyncio.Event:
    """An event that Ctrl-C or SIGTERM sets; the second one cancels this task."""
    loop, task, stop = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()
    assert task is not None

    def interrupt() -> None:
        if stop.is_set():
            task.cancel()
        else:
            stop.set()
            say("finishing the utterance in progress; Ctrl-C again to abort")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    return stop


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


def watch_events(arguments: Sequence[str]) -> int:
    """Print what arrives at a broker, until Ctrl-C."""
    options = cli.parse_watch(arguments)
    from engine.sinks import watch
    from engine.sinks.topics import UTTERANCES

    asyncio.run(watch(options.mqtt, options.topics or (UTTERANCES,), as_json=options.json))
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
    print(message, file=sys.stderr, flush=True)


def leave(code: int) -> NoReturn:
    """End this process, whatever its threads do.

    A camera that hangs, or what is computed when a run is aborted, cannot be ended; it would
    crash an interpreter that is half gone.
    """
    if any(thread.daemon for thread in threading.enumerate()):
        with contextlib.suppress(OSError):  # nobody reads it any more
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    leave(main())
