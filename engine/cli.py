"""The command line: what can be asked for, and what contradicts itself.

Imports nothing heavy, so that `--help` and mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import math
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.arguments import Parser

BUNDLE = Path(__file__).parents[1] / "bundles" / "compact"
BROKER = "mqtt://127.0.0.1:1883"
STDIN = "-"
STDIN_URI = "pipe://stdin"
"""What `stream.sources.open_source` calls standard input."""
MAX_DEFAULT_THREADS = 4

DESCRIPTION = """\
Recognise, live and per utterance, the emotion that people express, from their words, voice
and face together. Every utterance becomes one event: on the terminal, over MQTT, and in a
file if you like. Nothing leaves this machine unless you name another one."""

EPILOG = """\
other commands:
  python run_live.py serve            take people in over WebRTC, each room a conversation
  python run_live.py devices          list cameras and microphones
  python run_live.py watch            show the events that arrive at an MQTT broker

examples:
  python run_live.py --file talk.mp4
  python run_live.py --file talk.mp4 --transcript beside --jsonl out/talk.jsonl
  python run_live.py --camera 0 --mic "USB"
  python run_live.py --camera 0 --people
  python run_live.py --rtsp rtsp://192.0.2.7/stream --mqtt mqtt://user:password@broker.example

Ctrl-C ends a run: the utterance in progress is finished and published first. Ctrl-C again
aborts. SIGTERM and SIGHUP do the same. Exit codes: 0 after a run that ended in order, 1 where
something was lost, 2 for a mistake, 130, 143 or 129 where a signal ended it earlier.

What is recognised is the emotion EXPRESSED, with a probability: not what somebody feels,
not whether they lie. Tell people that they are analysed and get their consent. Do not use it
to watch people at work or in education: the EU AI Act forbids that (Art. 5(1)(f))."""

SERVE_DESCRIPTION = """\
Take people in over WebRTC (WHIP, RFC 9725) and recognise the emotion that each expresses.
Whoever publishes to http://HOST:PORT/whip/ROOM takes part in the conversation of that room."""

SERVE_EXAMPLES = """\
examples:
  python run_live.py serve
  python run_live.py serve --host 0.0.0.0 --token-file secrets/whip --metrics 9464

OBS Studio: Settings, Stream, Service WHIP, Server http://127.0.0.1:8080/whip/ROOM
GStreamer:  whipclientsink signaller::whip-endpoint=http://127.0.0.1:8080/whip/ROOM
A name may be given as /whip/ROOM?participant=NAME; without one it is guest-1, guest-2, ...

There is no TLS: beyond this machine put a reverse proxy with a certificate in front. Ctrl-C
ends all sessions; what was being said is finished and published first.

What is recognised is the emotion EXPRESSED, with a probability: not what somebody feels,
not whether they lie. Tell people that they are analysed and get their consent. Do not use it
to watch people at work or in education: the EU AI Act forbids that (Art. 5(1)(f))."""

WATCH_EXAMPLES = f"""\
examples:
  python run_live.py watch
  python run_live.py watch --mqtt mqtt://broker.example --topic 'bemerc/v1/kitchen/#'
  python run_live.py watch --topic 'bemerc/v1/+/src/+/p/anna/utterance' --json

Without --mqtt it looks at {BROKER}, where a run with the embedded broker publishes if
that port is free; otherwise give the address which that run printed."""


@dataclass(frozen=True)
class Options:
    """What a run was asked to do."""

    uri: str
    """For `stream.sources.open_source`."""
    microphone: str | None
    """Part of its name, or its number; None for the default one."""
    audio: bool
    video: bool
    text: bool
    """Which modalities to use."""
    transcript: str
    """`asr`, `beside` or the path of a caption file."""
    pace: Literal["real", "max"]
    participant: str | None
    """None for the default one."""
    people: bool
    """Whether several people share the input, to be told apart."""
    bundle: Path
    threads: int
    node: str
    mqtt: str | None
    """URL of a broker, `off`, or None for the embedded one."""
    jsonl: Path | None
    include_text: bool
    behaviour: bool
    """Whether events say what face and body do."""
    abstain_below: float | None
    """Confidence below which to abstain; 0 for never, None for the bundle's own thresholds."""
    metrics: int | None
    """Port for metrics and health; None for neither."""
    audio_track: int | None = None
    video_track: int | None = None
    """Which tracks of the input to use, from 1; None for the main ones."""


@dataclass(frozen=True)
class ServeOptions:
    """What `serve` was asked to do."""

    run: Options
    """As of any run; it has no input."""
    host: str
    port: int
    token_file: Path | None
    """Holds the token that publishers must give."""
    max_sessions: int


@dataclass(frozen=True)
class WatchOptions:
    """What `watch` was asked to show."""

    mqtt: str
    topics: tuple[str, ...]
    """Empty for the events of everybody."""
    json: bool


def parse(arguments: Sequence[str], version: str) -> Options:
    """Read the arguments of a run; exits on `--help`, `--version` and mistakes."""
    parser = _parser(version)
    values = parser.parse_args(arguments)
    _refuse_contradictions(parser, values)
    video = values.video and not _microphone_alone(values)
    return _options(values, _uri(values), video=video)


def parse_serve(arguments: Sequence[str]) -> ServeOptions:
    """Read the arguments of `serve`."""
    parser = Parser(
        prog="run_live.py serve",
        usage="python run_live.py serve [options]",
        description=SERVE_DESCRIPTION,
        epilog=SERVE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    group = parser.add_argument_group("who may come in")
    group.add_argument(
        "--host", metavar="ADDRESS", default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1, this machine alone)",
    )  # fmt: skip
    group.add_argument(
        "--port", metavar="N", type=_port, default=8080,
        help="port to listen on, 0 for any free one (default: 8080)",
    )  # fmt: skip
    group.add_argument(
        "--token-file", metavar="FILE", type=Path,
        help="file with the bearer token that publishers must give; needed beyond this machine",
    )  # fmt: skip
    group.add_argument(
        "--max-sessions", metavar="N", type=_positive, default=8,
        help="publishers at a time (default: 8; two cores serve about four who take turns)",
    )  # fmt: skip
    parser.add_argument("--no-text", dest="text", action="store_false", help="ignore the words")
    _add_output(parser)
    _add_model(parser)
    parser.set_defaults(audio=True, pace="real", mic=None, participant=None, transcript=None)
    parser.set_defaults(people=False, audio_track=None, video_track=None)
    values = parser.parse_args(arguments)
    return ServeOptions(
        run=_options(values, "", video=True),
        host=values.host,
        port=values.port,
        token_file=values.token_file,
        max_sessions=values.max_sessions,
    )


def _options(values: argparse.Namespace, uri: str, *, video: bool) -> Options:
    return Options(
        uri=uri,
        microphone=values.mic,
        audio=values.audio,
        video=video,
        text=values.text,
        transcript=values.transcript or "asr",
        pace=values.pace,
        participant=values.participant,
        people=values.people,
        bundle=values.bundle,
        threads=values.threads,
        node=values.node,
        mqtt=values.mqtt,
        jsonl=values.jsonl,
        include_text=values.include_text,
        behaviour=values.behaviour,
        abstain_below=values.abstain_below,
        metrics=values.metrics,
        audio_track=values.audio_track,
        video_track=values.video_track,
    )


def parse_watch(arguments: Sequence[str]) -> WatchOptions:
    """Read the arguments of `watch`."""
    parser = Parser(
        prog="run_live.py watch",
        usage="python run_live.py watch [options]",
        description="Show the events that arrive at an MQTT broker, until Ctrl-C.",
        epilog=WATCH_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--mqtt", metavar="URL", default=BROKER, help="the broker")
    parser.add_argument(
        "--topic", metavar="FILTER", action="append", default=[],
        help="MQTT topic filter, may be repeated (default: the events of everybody)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the whole event, one a line")
    values = parser.parse_args(arguments)
    return WatchOptions(values.mqtt, tuple(values.topic), values.json)


def parse_devices(arguments: Sequence[str]) -> None:
    """Read the arguments of `devices`: there are none."""
    Parser(
        prog="run_live.py devices",
        usage="python run_live.py devices",
        description="List the cameras and microphones for --camera and --mic.",
    ).parse_args(arguments)


def _parser(version: str) -> Parser:
    parser = Parser(
        prog="run_live.py",
        usage="python run_live.py (--file F | --camera N | --rtsp URL | --mic NAME) [options]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"bemerc-live {version}")
    _add_input(parser)
    _add_modalities(parser)
    _add_output(parser)
    _add_model(parser)
    return parser


def _add_input(parser: Parser) -> None:
    group = parser.add_argument_group("input, one of these")
    group.add_argument(
        "--file", metavar="F",
        help="a video or sound file, of any usual format; - for standard input",
    )  # fmt: skip
    group.add_argument(
        "--camera", metavar="N", type=_natural, help="a camera, by its number: usually 0"
    )
    group.add_argument("--rtsp", metavar="URL", help="a network camera: rtsp://HOST/PATH")
    group.add_argument(
        "--mic", metavar="NAME",
        help="a microphone, by its number or a part of its name; with --camera, the microphone "
        "to use instead of the default one",
    )  # fmt: skip
    group.add_argument(
        "--pace", choices=("real", "max"), default="max",
        help="read a file as fast as it was recorded, or as fast as it can be recognised "
        "(default: max)",
    )  # fmt: skip
    group.add_argument(
        "--participant", metavar="ID",
        help="pseudonym of who speaks, for events and topics (default: speaker-1)",
    )  # fmt: skip
    group.add_argument(
        "--people", action="store_true",
        help="several people share this camera and microphone: tell them apart as person-1, "
        "person-2, ..., or ID-1, ID-2, ... with --participant ID",
    )  # fmt: skip

    for kind in ("audio", "video"):
        group.add_argument(
            f"--{kind}-track", metavar="N", type=_positive,
            help=f"use the Nth {kind} track of a file or stream that has several (default: the "
            "main one)",
        )  # fmt: skip


def _add_modalities(parser: Parser) -> None:
    group = parser.add_argument_group("what to recognise from")
    group.add_argument(
        "--no-video", dest="video", action="store_false", help="do not look at pictures"
    )
    group.add_argument(
        "--no-audio", dest="audio", action="store_false",
        help="do not listen: the pictures are cut into windows of fixed length",
    )  # fmt: skip
    group.add_argument("--no-text", dest="text", action="store_false", help="ignore the words")
    group.add_argument(
        "--transcript", metavar="asr|beside|FILE",
        help="where the words come from: recognised speech (asr, the default), the .vtt or .srt "
        "beside the --file (beside), or this WebVTT or SRT file",
    )  # fmt: skip


def _add_output(parser: Parser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "--mqtt", metavar="URL|off",
        help="publish to this broker, mqtt://[user:password@]host[:port] or mqtts://...; without "
        "this option a broker on this machine is started, reachable from it alone",
    )  # fmt: skip
    group.add_argument("--jsonl", metavar="FILE", type=Path, help="also append events to FILE")
    group.add_argument(
        "--include-text", action="store_true",
        help="let MQTT and --jsonl have what was said; without it only this terminal shows it",
    )  # fmt: skip
    group.add_argument(
        "--no-behaviour", dest="behaviour", action="store_false",
        help="let events leave without what face and body do",
    )  # fmt: skip
    group.add_argument(
        "--metrics", metavar="PORT", type=_port,
        help="serve Prometheus metrics at http://127.0.0.1:PORT/metrics, and /health; 0 for any "
        "free port",
    )  # fmt: skip
    group.add_argument(
        "--node", metavar="NAME", default=socket.gethostname() or "node",
        help="name of this machine in topics (default: its host name)",
    )  # fmt: skip


def _add_model(parser: Parser) -> None:
    group = parser.add_argument_group("model")
    group.add_argument(
        "--bundle", metavar="DIR", type=Path, default=BUNDLE,
        help="folder of a trained model (default: bundles/compact)",
    )  # fmt: skip
    group.add_argument(
        "--abstain-below", metavar="P", type=_probability,
        help="call an utterance unsure where the most probable emotion has less than this "
        "probability, from 0 (never) to 1 (default: what the bundle chose, see its model card)",
    )  # fmt: skip
    threads = min(MAX_DEFAULT_THREADS, os.cpu_count() or 1)
    group.add_argument(
        "--threads", metavar="N", type=_positive, default=threads,
        help=f"CPU threads (default: {threads})",
    )  # fmt: skip


def _refuse_contradictions(parser: Parser, values: argparse.Namespace) -> None:
    for name in ("file", "rtsp", "mic", "participant", "transcript", "node", "mqtt"):
        if getattr(values, name) == "":
            parser.error(f"--{name} is empty: give a value, or leave it out")
    given = [name for name in ("file", "camera", "rtsp") if getattr(values, name) is not None]
    if len(given) > 1:
        parser.error(f"--{given[0]} and --{given[1]} are two inputs: give one")
    if not given and values.mic is None:
        parser.error("no input: give --file F, --camera N, --rtsp URL or --mic NAME")
    if values.mic is not None and given and given != ["camera"]:
        parser.error(f"--mic does not go with --{given[0]}: its own sound is used")
    if not values.audio and (values.mic is not None or not values.video):
        parser.error("--no-audio leaves nothing to recognise from: leave it out")
    if values.people and not values.audio:
        parser.error("--people needs sound, to know who speaks: leave out --no-audio")
    if values.rtsp is not None and not values.rtsp.startswith(("rtsp://", "rtsps://")):
        parser.error("--rtsp takes an address such as rtsp://HOST/PATH")
    if values.transcript is not None and not values.text:
        parser.error("--transcript and --no-text contradict each other: give one")
    if values.transcript == "beside" and values.file is None:
        parser.error("--transcript beside needs --file")
    if values.transcript == "beside" and values.file == STDIN:
        parser.error("nothing lies beside standard input: name the file of --transcript")
    if values.jsonl is not None and _same_file(values.jsonl, values.file):
        parser.error("--jsonl would write into the --file that is read: name another file")


def _same_file(out: Path, file: str | None) -> bool:
    try:
        return file is not None and out.samefile(file)
    except OSError:
        return False


def _microphone_alone(values: argparse.Namespace) -> bool:
    return values.mic is not None and values.camera is None


def _uri(values: argparse.Namespace) -> str:
    if values.file is not None:
        return STDIN_URI if values.file == STDIN else str(values.file)
    if values.rtsp is not None:
        return str(values.rtsp)
    return f"camera://{values.camera or 0}"


def _natural(text: str) -> int:
    return _whole(text, 0)


def _port(text: str) -> int:
    number = _whole(text, 0)
    if number > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: the highest is 65535")
    return number


def _positive(text: str) -> int:
    return _whole(text, 1)


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:  # false for NaN too
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value


def _whole(text: str, least: int) -> int:
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} up")
    return int(text)
