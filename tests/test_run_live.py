"""The program as a user starts it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import aiomqtt
import av
import numpy as np
import pytest
from aioice import ice
from aiortc.contrib.media import MediaPlayer
from whip_client import client

import run_live
from engine.events import EmotionEvent
from engine.model.manifest import verify_bundle
from engine.sinks import embedded_broker
from export.bundle import write_manifest

ROOT = Path(__file__).parents[1]
CLIP = ROOT / "demo" / "talk.mp4"
BUNDLE = ROOT / "bundles" / "compact"
ASSETS = Path(__file__).parent / "assets"

needs_bundle = pytest.mark.skipif(
    not (BUNDLE / "manifest.json").is_file(), reason="bundles/compact has not been trained yet"
)


has_network_address = bool(ice.get_host_addresses(use_ipv4=True, use_ipv6=True))
"""aiortc offers no loopback address, and another process cannot be told to."""


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The error line of a run in this process that must end with exit code 2."""
    try:
        code = run_live.main(arguments)
    except SystemExit as error:  # argparse's way
        code = int(error.code or 0)
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    *notices, line = err.splitlines()
    assert all(notice.startswith("MQTT broker:") for notice in notices)
    assert line.startswith("error: ")
    return line


@pytest.fixture
def silent_film(tmp_path: Path) -> Path:
    """Half a second of grey without a sound track."""
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 64, 48
        for _ in range(5):
            picture = np.full((48, 64, 3), 128, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A bundle that is intact but says nothing that this version understands."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "spec.json").write_text('{"name": "tiny", "version": 1}')
    write_manifest(folder)
    return folder


def test_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    """The path is named."""
    assert "nowhere.mp4" in refusal(capsys, "--file", "nowhere.mp4")


def test_a_file_that_is_no_media(capsys: pytest.CaptureFixture[str]) -> None:
    """A text file is refused."""
    assert "speech.txt" in refusal(capsys, "--file", str(ASSETS / "speech.txt"))


def test_a_media_file_cut_off_at_its_header(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The first hundred bytes of a clip are no clip."""
    (tmp_path / "cut.mp4").write_bytes(CLIP.read_bytes()[:100])
    assert "cut.mp4" in refusal(capsys, "--file", str(tmp_path / "cut.mp4"))


def test_a_file_without_sound(capsys: pytest.CaptureFixture[str], silent_film: Path) -> None:
    """The way to go on without sound is named."""
    assert "--no-audio" in refusal(capsys, "--file", str(silent_film))


def test_a_missing_camera(capsys: pytest.CaptureFixture[str]) -> None:
    """The flag to choose another is named."""
    assert "--camera" in refusal(capsys, "--camera", "63", "--no-audio")


def test_an_unreachable_rtsp_address(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody listens on port 1."""
    assert "127.0.0.1:1" in refusal(capsys, "--rtsp", "rtsp://127.0.0.1:1/stream")


def test_a_folder_that_is_no_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    """The flag is named."""
    assert "--bundle" in refusal(capsys, "--file", str(CLIP), "--bundle", str(ASSETS))


def test_a_changed_bundle(capsys: pytest.CaptureFixture[str], sealed: Path) -> None:
    """A wrong hash is refused before anything is loaded."""
    (sealed / "spec.json").write_text('{"name": "Tiny", "version": 1}')
    assert "differs" in refusal(capsys, "--file", str(CLIP), "--bundle", str(sealed))


def test_a_bundle_with_a_wrong_spec(capsys: pytest.CaptureFixture[str], sealed: Path) -> None:
    """An intact bundle that does not fit is refused too."""
    message = refusal(capsys, "--file", str(CLIP), "--bundle", str(sealed))
    assert "does not fit this version" in message


def test_a_missing_transcript(capsys: pytest.CaptureFixture[str]) -> None:
    """Captions asked for must be there."""
    line = refusal(capsys, "--file", str(CLIP), "--transcript", "beside")
    assert "talk.vtt" in line


@pytest.mark.parametrize(
    "url", ["mqtt://127.0.0.1:1", "http://127.0.0.1", "mqtt://"], ids=["refused", "scheme", "host"]
)
def test_a_wrong_mqtt_address(capsys: pytest.CaptureFixture[str], tmp_path: Path, url: str) -> None:
    """Said before the models are loaded, which this bundle has none of."""
    (tmp_path / "spec.json").write_text(
        '{"name": "tiny", "version": 1, "labels": ["joy"], "llm": {"base": "none"}}'
    )
    write_manifest(tmp_path)
    assert "MQTT" in refusal(capsys, "--file", str(CLIP), "--mqtt", url, "--bundle", str(tmp_path))


@needs_bundle
def test_strangers_without_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    """They are refused at once, not when the models are loaded."""
    assert run_live.main(["serve", "--host", "0.0.0.0", "--mqtt", "off"]) == 2
    _, err = capsys.readouterr()
    assert err.startswith("error: whoever reaches 0.0.0.0 could send to it")
    assert "loading" not in err


def test_an_unknown_flag_in_a_process() -> None:
    """One line, exit code 2, no traceback: as a process, answered without loading models."""
    done = start("--bogus").communicate(timeout=60)
    assert done == ("", "error: unrecognized arguments: --bogus; see python run_live.py --help\n")


def test_the_version_is_that_of_the_project() -> None:
    """`--version` prints the name and a number."""
    out, _ = start("--version").communicate(timeout=60)
    assert re.fullmatch(r"bemerc-live \d+\.\d+\.\d+\n", out)


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def hear_signals() -> None:
    """In the new process: what the tests run under may have been told to ignore some."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start the program."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run_live.py"), *arguments],
        preexec_fn=hear_signals,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


async def start_and_read(*arguments: str) -> tuple[asyncio.subprocess.Process, str]:
    """Start the program; gives it and the address of its broker."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "run_live.py"),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=hear_signals,
        cwd=ROOT,
    )
    assert process.stderr is not None
    line = (await process.stderr.readline()).decode()
    found = re.search(r"mqtt://127\.0\.0\.1:(\d+)", line)
    assert found, line
    return process, found[1]


async def read_events(port: str, retained: dict[str, str]) -> list[EmotionEvent]:
    """Everything an unrelated client sees until the node says that it is offline.

    As a subscriber should, it keeps its session and comes back when a connection breaks.
    """
    events: dict[str, EmotionEvent] = {}
    for _ in range(5):
        client = aiomqtt.Client("127.0.0.1", int(port), identifier="reader", clean_session=False)
        with contextlib.suppress(aiomqtt.MqttError):
            async with client:
                await client.subscribe("bemerc/v1/#", qos=1)
                async for message in client.messages:
                    topic = message.topic.value
                    payload = bytes(message.payload) if isinstance(message.payload, bytes) else b""
                    if topic.endswith("/utterance"):
                        event = EmotionEvent.loads(payload)
                        events.setdefault(event.id, event)  # redelivered under the same id
                        continue
                    retained[topic] = payload.decode()
                    if topic == "bemerc/v1/test/status" and payload == b"offline":
                        return list(events.values())
    raise AssertionError(f"no word that the node is offline; it said {retained}")


def assert_sound(events: Sequence[EmotionEvent]) -> None:
    """What must hold for the events of the demo clip."""
    manifest = verify_bundle(BUNDLE)
    labels: list[str] = json.loads((BUNDLE / "spec.json").read_text())["labels"]
    assert len(events) >= 2
    assert [event.turn for event in events] == list(range(len(events)))
    for event in events:
        assert event.model.sha256 == manifest.sha256
        assert list(event.emotion.probabilities) == labels
        assert set(event.modalities.used) == {"text", "audio", "video"}
        assert event.text is None
        assert 0 <= event.window.start < event.window.end <= 20
        assert 0 < event.window.frames <= 64
        assert event.behaviour
        assert event.moments
        assert event.latency_ms["behaviour"] > 0


@pytest.mark.slow
@needs_bundle
async def test_the_demo_clip_end_to_end(tmp_path: Path) -> None:
    """A clip becomes events; the file and a separate MQTT client get the same ones."""
    path = tmp_path / "events.jsonl"
    process, port = await start_and_read(
        "--file", str(CLIP), "--pace", "max", "--jsonl", str(path), "--node", "test"
    )
    retained: dict[str, str] = {}
    try:
        received, (out, err) = await asyncio.gather(
            read_events(port, retained), process.communicate()
        )
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    written = [EmotionEvent.loads(line) for line in path.read_text().splitlines()]
    assert_sound(written)
    assert received == written
    info: dict[str, Any] = json.loads(retained["bemerc/v1/test/info"])
    assert info["model"]["sha256"] == written[0].model.sha256
    assert retained["bemerc/v1/test/src/talk/status"] == "offline"
    # The terminal, unlike the others, shows what was said.
    assert "despair" in out.decode()
    assert out.decode().count("expressed ") == len(written)
    assert "real-time factor" in err.decode()


@pytest.mark.slow
@needs_bundle
async def test_an_interrupt_publishes_the_utterance_in_progress(tmp_path: Path) -> None:
    """Ctrl-C after the first event of a run in real time: it drains and ends with code 0."""
    path = tmp_path / "events.jsonl"
    process, _ = await start_and_read(
        "--file", str(CLIP), "--pace", "real", "--jsonl", str(path), "--no-text"
    )
    assert process.stdout is not None
    first = await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert b"finishing the utterance in progress" in err
    printed = (first + out).decode().splitlines()
    written = [EmotionEvent.loads(line) for line in path.read_text().splitlines()]
    assert 1 <= len(written) == len(printed)


@contextlib.asynccontextmanager
async def killed_at_last(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """Leave no process behind when a test fails or times out."""
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def said_until(process: asyncio.subprocess.Process, part: str) -> str:
    """What the program says, up to a line with that part."""
    assert process.stderr is not None
    said = ""
    while part not in said:
        line = (await process.stderr.readline()).decode()
        assert line, said
        said += line
    return said


async def retained_at(url: str) -> dict[str, str]:
    """What a broker retains under `bemerc`."""
    found: dict[str, str] = {}
    host, _, port = url.removeprefix("mqtt://").partition(":")
    async with aiomqtt.Client(host, int(port)) as client:
        await client.publish("bemerc/last", "last", qos=1, retain=True)
        await client.subscribe("bemerc/#", qos=1)
        async for message in client.messages:
            if message.topic.value == "bemerc/last":
                return found
            assert isinstance(message.payload, bytes)
            found[message.topic.value] = message.payload.decode()
    raise AssertionError("the messages ended")


@pytest.mark.parametrize("number", ENDING)
async def test_a_signal_ends_watching(number: signal.Signals) -> None:
    """In words that fit: nothing was to be recognised."""
    async with embedded_broker(0) as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROOT / "run_live.py"), "watch", "--mqtt", url),
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=hear_signals,
            cwd=ROOT,
        )
        async with killed_at_last(process):
            await said_until(process, "watching")
            process.send_signal(number)
            _, err = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, err) == (128 + number, b"no longer watching\n")


@needs_bundle
@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("command", [("--file", str(CLIP)), ("serve", "--port", "0")])
async def test_a_signal_while_models_load_ends_the_run(
    command: tuple[str, ...], number: signal.Signals
) -> None:
    """At once, with a line and no traceback; the broker is told."""
    async with embedded_broker(0) as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROOT / "run_live.py"), *command),
            *("--mqtt", url, "--node", "test", "--no-text", "--no-behaviour"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=hear_signals,
            cwd=ROOT,
        )
        async with killed_at_last(process):
            await said_until(process, "loading the models")
            process.send_signal(number)
            out, err = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 128 + number
        assert err.decode().splitlines()[-1] == "ended before it had begun; nothing was recognised"
        assert (out, b"Traceback" in err) == (b"", False)
        retained = await retained_at(url)
        assert retained["bemerc/v1/test/status"] == "offline"
        assert not [topic for topic in retained if topic.endswith("/state")]


@pytest.mark.slow
@needs_bundle
@pytest.mark.parametrize("number", ENDING)
async def test_a_signal_leaves_nothing_about_people_on_the_broker(
    tmp_path: Path, number: signal.Signals
) -> None:
    """The utterance in progress is published first; then the label is taken back."""
    path = tmp_path / "events.jsonl"
    async with embedded_broker(0) as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROOT / "run_live.py"), "--file", str(CLIP), "--pace", "real"),
            *("--mqtt", url, "--node", "test", "--no-text", "--no-video", "--jsonl", str(path)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=hear_signals,
            cwd=ROOT,
        )
        assert process.stdout is not None
        async with killed_at_last(process):
            first = await process.stdout.readline()
            process.send_signal(number)
            out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, err.decode()
        assert len(path.read_text().splitlines()) == len((first + out).splitlines()) >= 1
        retained = await retained_at(url)
        assert retained["bemerc/v1/test/status"] == "offline"
        assert not [topic for topic in retained if topic.endswith("/state")]


@pytest.mark.slow
@needs_bundle
async def test_a_reader_who_goes_costs_the_terminal_alone(tmp_path: Path) -> None:
    """As in `run_live.py ... | head -1`: the file has every event, and the code is 0."""
    path = tmp_path / "events.jsonl"
    process = start(
        *("--file", str(CLIP), "--mqtt", "off", "--no-text", "--no-video", "--jsonl", str(path))
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    with process.stderr:
        err = process.stderr.read()
    assert process.wait(60) == 0, err
    assert "nobody reads it any more" in err
    assert "Exception ignored" not in err
    assert f"{len(path.read_text().splitlines())} utterances in" in err


def test_a_port_that_is_taken_is_told_before_models_load(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In one line, by `serve` and for metrics."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        serve, metrics = ("serve", "--port", port), ("--file", str(CLIP), "--metrics", port)
        for arguments in (serve, metrics):
            assert f"port {port}" in refusal(capsys, *arguments, "--mqtt", "off")


def test_what_still_computes_does_not_crash_the_end(tmp_path: Path) -> None:
    """Left alone, such an interpreter aborts: the thread comes back from C++ to half of it."""
    computes = """
        import threading, time, torch
        one = torch.ones(64, 64)
        def compute():
            while True:
                one @ one
        threading.Thread(target=compute, daemon=True).start()
        time.sleep(0.2)
        print("the last line")
    """
    end = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import run_live; run_live.leave(3)"
    script = tmp_path / "script.py"
    script.write_text(f"{textwrap.dedent(computes)}\n{end}\n")
    ended = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "the last line\n", "")


async def start_server(*arguments: str) -> tuple[asyncio.subprocess.Process, str, str]:
    """Start `serve` on free ports; gives it, its address and that of its metrics."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "run_live.py"),
        *("serve", "--port", "0", "--metrics", "0", "--mqtt", "off", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=hear_signals,
        cwd=ROOT,
    )
    assert process.stderr is not None
    said = ""
    while "publish to" not in said:
        line = (await process.stderr.readline()).decode()
        assert line, said
        said += line
    whip = re.search(r"publish to (http://127\.0\.0\.1:\d+)/whip/ROOM", said)
    metrics = re.search(r"metrics at (http://127\.0\.0\.1:\d+)/metrics", said)
    assert whip
    assert metrics
    return process, whip[1], metrics[1]


async def publish_clip(url: str, name: str, seconds: float) -> None:
    """Send the demo clip to a room for a while, as a real peer."""
    player = MediaPlayer(str(CLIP))
    async with client(url, player.audio, player.video) as peer:
        await peer.join(f"/whip/room?participant={name}")
        await asyncio.sleep(seconds)  # a live peer takes its time
        assert await peer.leave() == 200


@pytest.mark.slow
@needs_bundle
@pytest.mark.skipif(not has_network_address, reason="aiortc needs another address than loopback")
async def test_two_peers_of_one_room_are_one_conversation(tmp_path: Path) -> None:
    """They join over WHIP, speak at the same time, and leave; metrics and health tell of it."""
    path = tmp_path / "events.jsonl"
    process, whip, metrics = await start_server("--jsonl", str(path), "--no-behaviour")
    try:
        await asyncio.gather(*(publish_clip(whip, name, 9.0) for name in ("ann", "ben")))
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{metrics}/health") as response:
                health = response.status, await response.json()
            async with http.get(f"{metrics}/metrics") as response:
                exposition = await response.text()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    assert health == (200, {"status": "ok"})
    assert 'bemerc_media_items_total{kind="audio"}' in exposition
    assert "ann" not in exposition
    events = [EmotionEvent.loads(line) for line in path.read_text().splitlines()]
    assert {event.participant for event in events} == {"ann", "ben"}
    assert len({event.dialogue for event in events}) == 1
    assert {event.source for event in events} == {"room"}
    assert sorted(event.turn for event in events) == list(range(len(events)))
    assert all(event.latency_ms["total"] > 0 for event in events)
    assert out.decode().count("expressed ") == len(events)
